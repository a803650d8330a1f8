"""Format registry: the format of a path, and the errors about none or several."""

from __future__ import annotations

import json
import logging
import os

import pytest

import gluon_yolo
from gluon_yolo.data.registry import SOURCES, WRITERS, open_source
from gluon_yolo.errors import UserError
from tests.data.coco.test_source import add_file, add_image, record
from tests.data.small_data import one_class, small_data
from tests.data.voc.test_dataset import add, add_list


def test_every_format_is_read_written_and_named():
    assert list(SOURCES) == list(WRITERS) == ["voc", "coco", "yolo", "record", "keras", "wider"]
    for name in SOURCES:
        assert SOURCES[name].format == WRITERS[name].format == name
        assert SOURCES[name].accepts and SOURCES[name].title


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """The small data set in each format."""
    root = tmp_path_factory.mktemp("homes")
    data = small_data(root / "pictures")
    for name, kind in WRITERS.items():
        written = one_class(data) if name == "wider" else data
        writer = kind(root / name, written.class_names)
        writer.write("train", written)
        writer.write("val", written)
        writer.finish()
    return root


@pytest.mark.parametrize(
    ("path", "format"),
    [
        ("voc", "voc"),
        ("coco", "coco"),
        ("coco/annotations/instances_val.json", "coco"),
        ("yolo", "yolo"),
        ("yolo/yolo.data", "yolo"),
        ("yolo/data.yaml", "yolo"),
        ("yolo/train.txt", "yolo"),
        ("record", "record"),
        ("record/train.rec", "record"),
        ("keras", "keras"),
        ("keras/train.txt", "keras"),
        ("wider", "wider"),
        ("wider/wider_face_split", "wider"),
        ("wider/wider_face_split/wider_face_val_bbx_gt.txt", "wider"),
    ],
)
def test_finds_the_format(homes, path, format):
    assert open_source(homes / path).format == format
    assert [name for name in SOURCES if SOURCES[name].recognises(homes / path)] == [format]


@pytest.mark.parametrize("format", SOURCES)
def test_the_public_way(homes, format):
    """Splits are opened by their part, and by their own names."""
    source = gluon_yolo.open_source(homes / format)
    assert len(source.open("train")) == len(source.open("val")) == 4
    with pytest.raises(UserError, match="no (split|list|ImageSets/Main/).*nothing"):
        source.open("nothing")
    with pytest.raises(UserError, match="nobody.*: no such file or folder"):
        gluon_yolo.open_source("~nobody-of-this-name")


def test_what_cannot_be_looked_at(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="a: no such file or folder"):
        open_source(tmp_path / ("a" * 300))  # longer than a file name can be
    monkeypatch.setattr(os, "access", lambda *args: False)  # root has all permissions
    with pytest.raises(UserError, match="may not be read; change its permissions"):
        open_source(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes with names")
@pytest.mark.parametrize("format", [None, *SOURCES])
def test_a_pipe_is_refused(tmp_path, format):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe: is neither a folder nor a file that can be read again"):
        open_source(tmp_path / "pipe", format)


def test_no_such_format(tmp_path):
    with pytest.raises(
        UserError, match="no format is called 'darknet'; there are voc, coco, yolo, record, keras, wider"
    ):
        gluon_yolo.open_source(tmp_path, "darknet")


def test_parts_that_splits_are_not_called_after(tmp_path):
    for split in ("train2017", "val2017"):
        add_file(tmp_path / "annotations" / f"instances_{split}.json", record(f"{split}.png"))
        add_image(tmp_path / split / f"{split}.png")
    source = gluon_yolo.open_source(tmp_path)
    for split in ("val", "val2017", "instances_val2017"):
        assert source.open(split).name(0).endswith("val2017.png")
    assert source.class_names(["train", "val"]) == ("bee",)
    with pytest.raises(UserError, match="no split 'test'; there is train2017, val2017"):
        source.open("test")


def test_no_images_for_training(tmp_path):
    for part in ("val", "test"):
        add_file(tmp_path / "annotations" / f"{part}.json", record())
    source = gluon_yolo.open_source(tmp_path)
    assert source.split_for("val", "") == "val"
    with pytest.raises(UserError, match="no pictures for training; there is test, val: name one"):
        source.split_for("train", "name one with --split")


def test_says_what_it_found(homes, caplog):
    with caplog.at_level(logging.INFO, "gluon_yolo"):
        open_source(homes / "coco")
        open_source(homes / "coco" / "annotations" / "instances_val.json")
    assert caplog.messages == [
        f"data: COCO annotations, splits train, val: {homes}/coco",
        f"data: COCO annotations, split val: {homes}/coco/annotations/instances_val.json",
    ]


def test_says_what_it_looked_for(tmp_path):
    (tmp_path / "notes.md").write_text("")
    (tmp_path / "raw").mkdir()
    with pytest.raises(UserError) as caught:
        open_source(tmp_path)
    first, *looked, last = str(caught.value).splitlines()
    there = "the folder holds notes.md, raw/"
    assert first == f"{tmp_path}: cannot tell in which format this data is; {there}. Looked for:"
    assert [line.split()[0] for line in looked] == list(SOURCES)
    assert all(source.accepts in line for source, line in zip(SOURCES.values(), looked))
    assert "with format NAME" in last
    with pytest.raises(UserError, match="the folder is empty"):
        open_source(tmp_path / "raw")
    with pytest.raises(UserError, match="the file has 0 bytes"):
        open_source(tmp_path / "notes.md")
    with pytest.raises(UserError, match="nowhere: no such file or folder"):
        open_source(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("files", "path", "remedy"),
    [
        (["x.zip"], "x.zip", "This is an archive: unpack it"),
        (["a.png"], "a.png", "This is a picture: name a folder"),
        (["a.png", "b/c.JPG", ".DS_Store"], "", "There are pictures and no labels: draw boxes"),
        (["a.png", "a.json"], "", "These are labelme's files, which are not read: export them as"),
        (["a.png", "a.json"], "a.json", "These are labelme's files"),
        (["a.png", "notes.csv"], "", "Name another path, or say the format"),
        (["mine/train.txt", "mine/1.txt", "other/a.md"], "", "data one folder below; name one of: {}/mine"),
    ],
)
def test_says_what_to_do_about_what_is_often_brought(tmp_path, files, path, remedy):
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("1.jpg" if file.endswith(".txt") else '{"shapes": []}')
    with pytest.raises(UserError) as caught:
        open_source(tmp_path / path)
    assert remedy.format(tmp_path) in str(caught.value).splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "text", "named", "last"),
    [
        ("train.txt", "", "", "/train.txt: the list is empty; write one picture a line"),
        ("train.txt", "hello\n", "train.txt", "/train.txt: its first line names no picture, 'hello'"),
        ("x.json", '{"images": []}', "x.json", "/x.json: the list 'images' is empty"),
        (
            "x.json",
            "version https://git-lfs.github.com/spec/v1",
            "x.json",
            "it is a Git LFS pointer: get the",
        ),
    ],
)
def test_says_what_is_wrong_with_what_is_called_as_data(tmp_path, name, text, named, last):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as caught:
        open_source(tmp_path / named)
    assert last in str(caught.value).splitlines()[-1]


def test_label_studio(tmp_path):
    add_image(tmp_path / "images/a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "classes.txt").write_text("bee\n")
    add_file(tmp_path / "notes.json", {"categories": [{"id": 0, "name": "bee"}], "info": {"year": 2024}})
    assert open_source(tmp_path).format == "yolo"


def test_splits_in_no_part_are_said_once(tmp_path, caplog):
    for split in ("train", "train_extra", "val"):
        add_file(tmp_path / "annotations" / f"instances_{split}.json", record())
        add_image(tmp_path / split / "a.png")
    source = open_source(tmp_path)
    note = "in no part: train_extra; train is train, val is val (flags such as --train-split take others)"
    assert source.remarks() == [note]
    with caplog.at_level(logging.INFO, "gluon_yolo"):
        source.split_for("train", "")
        source.split_for("val", "")
    assert [message for message in caplog.messages if "in no part" in message] == [f"{tmp_path}: {note}"]


def test_many_entries_are_cut_short(tmp_path):
    for number in range(20):
        (tmp_path / f"{number:02d}.doc").write_text("")
    with pytest.raises(UserError, match=r"holds 00.doc, .*, 07.doc, and 12 more\. Looked"):
        open_source(tmp_path)


def test_several_formats_ask_for_one(tmp_path):
    add(tmp_path, "a")
    add_list(tmp_path, "train", "a\n")
    add_file(tmp_path / "train.json", record("a.jpg"))
    with pytest.raises(
        UserError, match="as Pascal VOC and COCO annotations; say which with format voc or format coco"
    ):
        open_source(tmp_path)
    assert open_source(tmp_path, "voc").open("train").class_names == ("cat",)
    assert open_source(tmp_path, "coco").class_names(["train"]) == ("bee",)


def test_a_format_that_is_not_there_says_what_is_missing(tmp_path):
    (tmp_path / "synthetic.json").write_text(json.dumps({"pictures": 4}))
    for format, why in {
        "voc": "no Annotations/ in it",
        "coco": "no COCO annotations",
        "record": "no .rec file",
    }.items():
        with pytest.raises(UserError, match=why):
            open_source(tmp_path, format)
