"""Which format is found at a path, and what is said when none or several are."""

from __future__ import annotations

import json
import logging

import pytest

from gluon_yolo.data.formats import SOURCES, TITLES, WRITERS, open_source
from gluon_yolo.errors import UserError
from tests.data.coco.test_source import add_file, record
from tests.data.small_data import NAMES, small_data
from tests.data.voc.test_dataset import add, add_list


def test_every_format_is_read_written_and_named():
    assert list(SOURCES) == list(WRITERS) == list(TITLES) == ["voc", "coco", "yolo", "record"]
    for name in SOURCES:
        assert SOURCES[name].format == WRITERS[name].format == name
        assert SOURCES[name].accepts


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """The small data set in each format."""
    root = tmp_path_factory.mktemp("homes")
    data = small_data(root / "pictures")
    for name, kind in WRITERS.items():
        writer = kind(root / name, NAMES)
        writer.write("train", data)
        writer.write("val", data)
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
    ],
)
def test_finds_the_format(homes, path, format):
    assert open_source(homes / path).format == format
    assert [name for name in SOURCES if SOURCES[name].recognises(homes / path)] == [format]


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
    assert "--format NAME" in last
    with pytest.raises(UserError, match="the folder is empty"):
        open_source(tmp_path / "raw")
    with pytest.raises(UserError, match="the file has 0 bytes"):
        open_source(tmp_path / "notes.md")
    with pytest.raises(UserError, match="nowhere: no such file or folder"):
        open_source(tmp_path / "nowhere")


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
        UserError, match="as Pascal VOC and COCO annotations; say which with --format voc or --format coco"
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
