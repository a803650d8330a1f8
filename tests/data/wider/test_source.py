"""WiderSource: splits, images, classes, errors; and the real data."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gluon_yolo.data.registry import SOURCES, open_source
from gluon_yolo.errors import UserError
from tests.data.yolo.test_source import add, put

ROW, ZERO = "1 2 10 9 1 0 0 0 0 0 \n", "0 0 0 0 0 0 0 0 0 0 \n"
VAL = "wider_face_split/wider_face_val_bbx_gt.txt"


@pytest.fixture
def root(tmp_path):
    """Images of 24x32 in two splits."""
    for name in ("WIDER_train/images/1--Dance/a.jpg", "WIDER_val/images/0--Parade/b.jpg"):
        add(tmp_path, name, None)
    add(tmp_path, "WIDER_val/images/0--Parade/c 1.jpg", None)
    put(tmp_path / "wider_face_split", "wider_face_train_bbx_gt.txt", f"1--Dance/a.jpg\n1\n{ROW}")
    val = f"0--Parade/c 1.jpg\n3\n{ROW}4 5 -2 3 0 0 0 0 0 0\n20 10 20 10 0 0 0 1 0 0\n"
    put(tmp_path, VAL, f"{val}0--Parade/b.jpg\n1\n{ZERO}")
    return tmp_path


def test_everything(root):
    assert [name for name in SOURCES if SOURCES[name].recognises(root)] == ["wider"]
    source = open_source(root)
    assert source.parts() == {"train": "train", "val": "val"}
    assert source.class_names(("train",)) == ("face",)
    val = source.open("val")
    assert [Path(val.name(i)).parts[-2:] for i in range(2)] == [
        ("0--Parade", "c 1.jpg"),
        ("0--Parade", "b.jpg"),
    ]
    assert val.annotations(0).boxes.tolist() == [[1, 2, 11, 11], [20, 10, 32, 20]]
    assert val.annotations(0).difficult.tolist() == [False, True]
    assert (len(val.annotations(1)), val.report.empty_images, val.report.broken_boxes) == (0, 1, 1)
    assert [(issue.kind, issue.where) for issue in val.report.warnings] == [
        ("swapped-corners", "line 4 (face, 4 5 -2 3)"),
        ("reaches-out", "line 5 (face, 20 10 20 10)"),
    ]
    assert len(source.open("train,val")) == 3
    assert source.orphans() == []


def test_folders_and_one_file(root):
    for path, splits in ((root / "wider_face_split", ("train", "val")), (root / VAL, ("val",))):
        source = open_source(path)
        assert (source.format, source.splits()) == ("wider", splits)
        assert len(source.open("val")) == 2
    for name in ("wider_face_split", "WIDER_val"):  # unpacked into folders of the archives' names
        (root / name).rename(root / "inner")
        (root / "inner").mkdir(exist_ok=True)
        (root / name).mkdir()
        (root / "inner").rename(root / name / name)
    assert len(open_source(root).open("val")) == 2
    assert len(open_source(root / "wider_face_split" / VAL).open("val")) == 2


def test_images_of_another_split_or_by_their_whole_path(root):
    put(root, VAL, f"1--Dance/a.jpg\n1\n{ROW}{root}/WIDER_val/images/0--Parade/b.jpg\n0\n")
    val = open_source(root).open("val")
    assert [Path(val.name(i)).name for i in range(2)] == ["a.jpg", "b.jpg"]
    assert [Path(issue.file).name for issue in open_source(root).orphans()] == ["c 1.jpg"]
    put(root, VAL, "0--Parade/b.jpg\n2\n0--Parade/c 1.jpg\n1\n1 2\n")
    assert open_source(root).orphans() == []  # images of broken entries are named all the same


def test_classes(root):
    source = open_source(root)
    assert source.open("val", ("Face",)).report.per_class == {"Face": 2}
    assert source.open("val", ("cat", "face")).annotations(0).class_ids.tolist() == [1, 1]
    with pytest.raises(UserError, match=r"_val_bbx_gt\.txt: line 3: unknown class 'face'"):
        source.open("val", ("cat", "dog"))
    put(root, "wider_face_split/classes.txt", "Head\n")
    assert open_source(root).open("val").class_names == ("Head",)
    put(root, "wider_face_split/classes.txt", "Head\nface\n")
    with pytest.raises(UserError, match=r"classes\.txt: names 2 classes, but WIDER FACE has one"):
        open_source(root).open("val")


def test_errors(root):
    b = root / "WIDER_val/images/0--Parade/b.jpg"
    b.unlink()
    with pytest.raises(UserError, match=rf"_val_bbx_gt\.txt: line 6: no picture 0--Parade/b\.jpg in {root}"):
        open_source(root).open("val")
    left = open_source(root).open("val", skip_bad=True)
    assert (len(left), left.report.skipped) == (1, 1)
    b.write_bytes(b"no picture")
    with pytest.raises(UserError, match=rf"{b}: "):
        open_source(root).open("val")
    put(root, VAL, f"0--Parade/c 1.jpg\n1\n{ROW}0--Parade/c 1.jpg\n1\n{ROW}")
    assert len(open_source(root).open("val")) == 1
    put(root, VAL, f"0--Parade/c 1.jpg\n1\n{ROW}0--Parade/c 1.jpg\n0\n")
    with pytest.raises(UserError, match=r"line 4: has other faces than line 1 of \S+ for the same picture"):
        open_source(root).open("val")
    put(root, VAL, "\n")
    with pytest.raises(UserError, match=r"val_bbx_gt\.txt: no picture in it"):
        open_source(root).open("val")
    with pytest.raises(UserError, match=r"no split 'vall'; did you mean val"):
        open_source(root).open("vall")
    shutil.rmtree(root / "WIDER_train")
    with pytest.raises(
        UserError, match=r"train_bbx_gt\.txt: its pictures are not there: no folder .*WIDER_train"
    ):
        open_source(root).open("train")


def test_the_published_test_list(root):
    put(root, "wider_face_split/wider_face_test_filelist.txt", "0--Parade/x.jpg\n")
    assert open_source(root).parts() == {"train": "train", "val": "val"}
    assert open_source(root / "wider_face_split").format == "wider"
    (note,) = open_source(root).left_out()
    assert "wider_face_test_filelist.txt names pictures without their faces" in note


def test_the_published_data(shared_data):
    source = open_source(shared_data / "widerface")
    val, train = source.open("val").report, source.open("train").report
    assert (val.images, val.boxes, val.empty_images, val.difficult, val.broken_boxes) == (265, 3414, 1, 96, 1)
    assert (train.images, train.boxes, train.empty_images, train.broken_boxes) == (40, 163, 0, 0)
