"""WiderWriter and the writing of splits: folders, rows, and what is refused."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from gluon_yolo.cli import main
from gluon_yolo.data.registry import WRITERS, open_source
from gluon_yolo.data.wider.writer import WiderWriter, event_of
from gluon_yolo.errors import UserError
from tests.data.small_data import NAMES, TRUTHS, assert_same, one_class, replace_truth, small_data
from tests.data.wider.test_source import VAL, put

ROWS = "1 2 10 9 1 0 0 0 2 0\n3 4 5 6 0 1 0 1 0 1\n"


def test_files(tmp_path, caplog):
    data = one_class(small_data(tmp_path / "pictures"))
    writer = WiderWriter(tmp_path / "out", ("face",))
    writer.write("train", data)
    with caplog.at_level(logging.WARNING, logger="gluon_yolo"):
        writer.finish()
    folder = tmp_path / "out" / "wider_face_split"
    assert (folder / "wider_face_train_bbx_gt.txt").read_text().splitlines() == [
        "0--Pictures/one.png",
        "2",
        "3 4 17 26 0 0 0 0 0 0",
        "0 0 50 40 0 0 0 1 0 0",
        "0--Pictures/one_2.png",
        "1",
        "0 7 333 53 0 0 0 0 0 0",
        "0--Pictures/two.JPEG",
        "2",
        "0 1 127 299 0 0 0 0 0 0",
        "17 18 2 2 0 0 0 0 0 0",
        "0--Pictures/zero v1.5.png",
        "0",
        "0 0 0 0 0 0 0 0 0 0",
    ]
    assert caplog.messages == [
        f"{tmp_path / 'out'}: WIDER FACE's rows hold whole pixels: boxes rounded to them: 2"
    ]
    assert not (folder / "classes.txt").exists()


def test_a_thin_box_keeps_a_pixel(tmp_path):
    data = one_class(small_data(tmp_path / "pictures"))
    replace_truth(data, 0, TRUTHS[0].replace(boxes=[[3.1, 4, 3.2, 9], [0, 0, 1, 1]], class_ids=[0, 0]))
    writer = WiderWriter(tmp_path / "out", ("face",))
    writer.write("train", data)
    found = open_source(writer.finish()).open("train").annotations(0)
    assert found.boxes.tolist() == [[3, 4, 4, 9], [0, 0, 1, 1]]


def test_another_class_has_its_name_beside(tmp_path):
    data = one_class(small_data(tmp_path / "pictures"), "Kopf")
    between = WRITERS["coco"](tmp_path / "coco", data.class_names)
    between.write("train", data)
    writer = WiderWriter(tmp_path / "out", data.class_names)
    writer.write("train", open_source(between.finish()).open("train"))
    again = open_source(writer.finish())
    assert again.class_names() == ("Kopf",)
    third = WRITERS["voc"](tmp_path / "third", ("Kopf",))
    third.write("train", again.open("train"))
    once_more = WiderWriter(tmp_path / "last", ("Kopf",))
    once_more.write("train", open_source(third.finish()).open("train"))
    last = open_source(once_more.finish()).open("train")
    assert_same(last, again.open("train"), difficult=True)


def test_several_classes_are_refused(tmp_path, capsys):
    message = r"one class, but the data has 3 \(wasp, Bee, grey ant\): choose one with only NAME"
    with pytest.raises(UserError, match=message):
        WiderWriter(tmp_path / "out", NAMES)
    writer = WRITERS["voc"](tmp_path / "voc", NAMES)
    writer.write("train", small_data(tmp_path / "pictures"))
    words = ["data", "convert", str(writer.finish()), "--to", "wider", str(tmp_path / "wider")]
    assert main(words) == 2
    assert "choose one with --only NAME" in capsys.readouterr().err
    assert main([*words, "--only", "Bee"]) == 0
    assert open_source(tmp_path / "wider").class_names() == ("Bee",)


def test_events_stay():
    assert event_of("/data/WIDER_val/images/0--Parade/0_Parade_1.jpg") == "0--Parade"
    assert event_of(r"C:\WIDER_val\images\20--Family_Group\a.jpg") == "20--Family_Group"
    assert event_of("/data/JPEGImages/a.jpg") == event_of("a.jpg") == "0--Pictures"


@pytest.fixture
def root(tmp_path):
    """Five images in two events, all of them for validation."""
    text = ""
    for number in range(5):
        name = f"{number % 2}--Event/{number}.jpg"
        draw(tmp_path / "WIDER_val" / "images" / name, number)
        text += f"{name}\n2\n{ROWS}"
    put(tmp_path / "wider_face_split", Path(VAL).name, text)
    return tmp_path


def draw(path, seed):
    """Write an image of noise, which no other image resembles."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 255, (40, 60, 3), np.uint8))


def division(path):
    """The images of each part, by the last two parts of their paths, and the rows of all of them."""
    source = open_source(path)
    parts = {part: source.open(split) for part, split in source.parts().items()}
    assert all(data.written == (tuple(ROWS.splitlines()),) * len(data) for data in parts.values())
    return {part: {data.name(i)[-13:] for i in range(len(data))} for part, data in parts.items()}


def test_splits(root, capsys):
    words = ["data", "split", str(root), "--val", "0.4"]
    assert main(words) == 2
    assert "is divided already, by wider_face_val_bbx_gt.txt; with --force" in capsys.readouterr().err
    assert main([*words, "--out", str(root / "lists")]) == 0
    assert main([*words, "--force"]) == 0
    assert "train on them: gluon-yolo train --data " in capsys.readouterr().out
    found = division(root)
    assert (len(found["train"]), len(found["val"]), len(found["train"] | found["val"])) == (3, 2, 5)
    assert division(root / "lists") == found
    old = root / f"{VAL}.old"
    assert old.read_text().count(".jpg") == 5
    assert (root / VAL).read_text().startswith(("0--Event/", "1--Event/"))


def test_an_image_whose_name_is_in_two_folders(root):
    """The text of a part that would find the wrong one names the whole path."""
    for number in range(5):
        draw(root / "WIDER_train" / "images" / f"{number % 2}--Event/{number}.jpg", 10 + number)
    assert main(["data", "split", str(root), "--val", "0.4", "--force"]) == 0
    for name in ("train", "val"):
        assert all(f"{root}/WIDER_val/" in open_source(root).open(name).name(i) for i in range(2))
    text = (root / "wider_face_split" / "wider_face_train_bbx_gt.txt").read_text()
    assert text.startswith(f"{root}/WIDER_val/images/")


def test_what_is_lost_is_said(root, tmp_path_factory, caplog):
    out = tmp_path_factory.mktemp("again") / "out"
    assert main(["data", "convert", str(root), "--to", "wider", str(out)]) == 0
    said = "not written: the faces' blur, expression, illumination, occlusion and pose"
    assert said in caplog.messages
    (name,) = (out / "wider_face_split").iterdir()
    assert "\n1 2 10 9 0 0 0 0 0 0\n3 4 5 6 0 0 0 1 0 0\n" in name.read_text()
    assert {path.parent.name for path in out.glob("WIDER_*/images/*/*.jpg")} == {"0--Event", "1--Event"}


@pytest.mark.parametrize(
    ("words", "format"),
    [
        (["pack", "{data}", "{out}"], "record"),
        (["tile", "{data}", "{out}", "--tile", "32"], "wider"),
        (["dedupe", "{data}", "--out", "{out}"], "wider"),
        (["convert", "{data}", "{out}", "--to", "coco"], "coco"),
    ],
)
def test_commands_that_write_data(root, tmp_path_factory, words, format):
    out = tmp_path_factory.mktemp("written") / "out"
    assert main(["data", *(word.format(data=root, out=out) for word in words)]) == 0
    source = open_source(out)
    assert (source.format, source.class_names(source.splits())) == (format, ("face",))
    faces = source.open(source.splits()[0])
    first = faces.annotations(0)  # the tile in the corner shows both faces of the image too
    assert first.boxes.tolist() == [[1, 2, 11, 11], [3, 4, 8, 10]]
    assert first.difficult.tolist() == [False, True]
    assert main(["data", "check", str(out)]) == 0
