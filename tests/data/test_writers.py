"""Writers: round trips through every format, image names, and folders with other content."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.data.dataset import ImageFiles
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.data.registry import SOURCES, WRITERS, open_source
from gluon_yolo.data.voc.dataset import open_voc
from gluon_yolo.data.voc.writer import VOCWriter
from gluon_yolo.data.writer import ImageStore
from gluon_yolo.errors import UserError
from tests.data.small_data import MANY_CLASSES, NAMES, TRUTHS, assert_same, one_class, small_data

MARKS = {"voc", "coco", "record"}  # formats that can store VOC's difficult mark


def written(format, out, parts, copy=True):
    """Write data sets by their splits, and return the path for ``--data``."""
    writer = WRITERS[format](out, next(iter(parts.values())).class_names)
    for split, dataset in parts.items():
        writer.write(split, dataset, copy)
    return open_source(writer.finish())


@pytest.mark.parametrize("second", MANY_CLASSES)
@pytest.mark.parametrize("first", MANY_CLASSES)
def test_there_and_on(tmp_path, first, second):
    data = small_data(tmp_path / "pictures")
    source = written(first, tmp_path / "first", {"train": data, "val": data})
    assert source.format == first
    names = source.class_names(source.splits())
    read = {part: source.open(split, names) for part, split in source.parts().items()}
    assert list(read) == ["train", "val"]
    again = written(second, tmp_path / "second", read)
    assert again.format == second and again.class_names(again.splits()) == NAMES
    for part, split in again.parts().items():
        assert_same(again.open(split, NAMES), data, difficult={first, second} <= MARKS)
        assert again.open(split, NAMES).report.broken_boxes == 0, part


@pytest.mark.parametrize("format", MANY_CLASSES)
def test_bccd_comes_back(tmp_path, shared_data, format):
    whole = open_voc(shared_data / "bccd" / "BCCD", "trainval", check_images=False)
    some = range(0, 200, 10)
    lists = (
        [whole.name(i) for i in some],
        [whole.size_hw(i) for i in some],
        [whole.annotations(i) for i in some],
    )
    data = ImageFiles(whole.class_names, *lists, DatasetReport("20 of BCCD"))
    between = written(format, tmp_path / "between", {"train": data})
    back = written("voc", tmp_path / "back", {"train": between.open(between.parts()["train"])}).open("train")
    assert_same(back, data, difficult=True)
    for index, place in enumerate(some):
        np.testing.assert_array_equal(
            back.annotations(index).boxes, whole.annotations(place).boxes
        )  # all corners are integers
    if format != "record":
        assert [Path(back.name(i)).name for i in range(20)] == [Path(path).name for path in lists[0]]


def test_names_of_classes_that_a_list_cannot_hold(tmp_path):
    names = ("bee", "bee ", "Bee")
    source = written("voc", tmp_path / "out", {"train": small_data(tmp_path, names)})
    assert source.class_names(["train"]) == ("bee", "bee ")  # the used names, sorted
    assert (
        written("coco", tmp_path / "out2", {"train": small_data(tmp_path, names)}).class_names(["train"])
        == names
    )


def test_coco_files_are_as_pycocotools_wants_them(tmp_path):
    pycocotools = pytest.importorskip("pycocotools.coco")
    written("coco", tmp_path / "out", {"val": small_data(tmp_path / "pictures")})
    api = pycocotools.COCO(str(tmp_path / "out" / "annotations" / "instances_val.json"))
    assert [category["name"] for category in api.loadCats(api.getCatIds())] == list(NAMES)
    first, second = api.loadAnns(api.getAnnIds(imgIds=1))
    assert (first["bbox"], first["area"], first["category_id"]) == ([3, 4, 17, 26], 442, 2)
    assert (first.get("difficult"), second.get("difficult")) == (None, 1)
    assert [image["file_name"] for image in api.loadImgs([1, 2])] == ["one.png", "one_2.png"]
    assert json.dumps(first["bbox"]) == "[3, 4, 17, 26]"


class TestImages:
    def test_names_stay_and_none_is_lost(self, tmp_path):
        files = ["x/a.jpg", "y/a.jpg", "z/A.PNG", "x/b c.jpg"]
        data = images(tmp_path, files)
        store = ImageStore(tmp_path / "out")
        assert store.put(data) == ["a.jpg", "a_2.jpg", "A_3.PNG", "b c.jpg"]
        assert store.put(data)[:2] == ["a_4.jpg", "a_5.jpg"]  # names in another split
        for index, name in enumerate(["a.jpg", "a_2.jpg", "A_3.PNG", "b c.jpg"]):
            assert (tmp_path / "out" / name).read_bytes() == files[index].encode()

    def test_hidden_files_are_seen(self, tmp_path):
        """Formats that list folders ignore hidden files."""
        data = images(tmp_path, ["x/.a.jpg", "y/a.jpg", "x/...b.png"])
        assert ImageStore(tmp_path / "out").put(data) == ["a.jpg", "a_2.jpg", "b.png"]

    @pytest.mark.parametrize(
        ("content", "extension"),
        [
            (b"\xff\xd8\xff\xe0", ".jpg"),
            (b"\x89PNG\r\n", ".png"),
            (b"BM" + bytes(12) + b"\x28", ".bmp"),
            (b"RIFF\0\0\0\0WEBP", ".webp"),
            (b"MM\0*", ".tif"),
            (b"P5\n1 1\n255\n\0", ".pnm"),
            (b"whatever", ".jpg"),
        ],
    )
    def test_an_image_without_a_files_name_gets_one(self, tmp_path, content, extension):
        (tmp_path / "some.rec:12").write_bytes(content)
        data = ImageFiles(("a",), [str(tmp_path / "some.rec:12")], [(1, 1)], TRUTHS[3:], DatasetReport("x"))
        assert ImageStore(tmp_path / "out").put(data) == [f"some_rec_12{extension}"]

    def test_a_stem_that_many_have(self, tmp_path):
        class Counting(dict):
            looks = 0

            def __contains__(self, key):
                self.looks += 1
                return super().__contains__(key)

        store = ImageStore(tmp_path / "out")
        store._numbers = Counting()
        stems = [store._new_stem(f"{number}/ image.jpg") for number in range(1000)]
        assert (stems[0], stems[-1], len(set(stems))) == ("image", "image_1000", 1000)
        assert store._numbers.looks == 1000  # the search does not start at the first number for each image
        assert store._new_stem("image_7.jpg") == "image_7_2"

    def test_links(self, tmp_path):
        data = images(tmp_path, ["a.jpg"])
        (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
        data._names[0] = str(tmp_path / "b.jpg")
        ImageStore(tmp_path / "linked").put(data, copy=False)
        ImageStore(tmp_path / "copied").put(data)
        assert (tmp_path / "linked" / "b.jpg").samefile(tmp_path / "a.jpg")
        assert not (tmp_path / "linked" / "b.jpg").is_symlink()
        assert not (tmp_path / "copied" / "b.jpg").samefile(tmp_path / "a.jpg")

    def test_copies_where_no_link_can_be_made(self, tmp_path, monkeypatch):
        def refuse(*args):
            raise OSError("another disk")

        monkeypatch.setattr(os, "link", refuse)
        ImageStore(tmp_path / "out").put(images(tmp_path, ["a.jpg"]), copy=False)
        assert (tmp_path / "out" / "a.jpg").read_bytes() == b"a.jpg"


def images(folder, files):
    """Files that contain their own names, as a data set."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(file.encode())
    truths = TRUTHS[3:] * len(files)
    return ImageFiles(
        ("a",), [str(folder / file) for file in files], [(1, 1)] * len(files), truths, DatasetReport("x")
    )


class TestFolders:
    @pytest.mark.parametrize("format", WRITERS)
    def test_others_are_not_touched(self, tmp_path, format):
        (tmp_path / "mine.txt").write_text("mine")
        for out, why in ((tmp_path, "holds something else already"), (tmp_path / "mine.txt", "is a file")):
            with pytest.raises(UserError, match=why):
                WRITERS[format].check_free(out)
            with pytest.raises(UserError, match=why):
                WRITERS[format](out, NAMES[:1])
        assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]

    @pytest.mark.parametrize("format", WRITERS)
    def test_one_killed_while_it_was_claimed_is_begun_again(self, tmp_path, format):
        (tmp_path / ".gluon_yolo.part").touch()
        WRITERS[format].check_free(tmp_path)
        WRITERS[format](tmp_path, NAMES[:1])
        assert (tmp_path / ".gluon_yolo").read_text() == f"{format} begun\n"

    def test_a_finished_one_is_left(self, tmp_path):
        data = small_data(tmp_path / "pictures")
        written("voc", tmp_path / "out", {"train": data})
        for format in ("voc", "coco"):
            with pytest.raises(
                UserError, match="out: holds a finished data set already; name another folder"
            ):
                WRITERS[format](tmp_path / "out", NAMES)
        assert len(open_voc(tmp_path / "out", "train")) == 4

    def test_an_unfinished_one_is_begun_again(self, tmp_path):
        data = small_data(tmp_path / "pictures")
        VOCWriter(tmp_path / "out", NAMES).write("test", data, copy=False)
        with pytest.raises(UserError, match="holds a"):
            WRITERS["coco"](tmp_path / "out", NAMES)
        before = data.encoded(0)
        written("voc", tmp_path / "out", {"train": data})
        assert SOURCES["voc"](tmp_path / "out").splits() == ("train",)
        assert len(list((tmp_path / "out" / "JPEGImages").iterdir())) == 4
        assert data.encoded(0) == before

    def test_an_empty_one_is_taken(self, tmp_path):
        (tmp_path / "out").mkdir()
        assert written("voc", tmp_path / "out", {"train": small_data(tmp_path)}).format == "voc"


def test_voc_counts_pixels_from_one(tmp_path):
    written("voc", tmp_path / "out", {"train": small_data(tmp_path / "pictures")})
    xml = (tmp_path / "out" / "Annotations" / "one.xml").read_text()
    assert re.findall(r"<(x|y)(min|max)>(\d+)<", xml)[:4] == [
        ("x", "min", "4"),
        ("y", "min", "5"),
        ("x", "max", "21"),
        ("y", "max", "31"),
    ]


@pytest.mark.parametrize("format", WRITERS)
def test_a_splits_name_may_be_any(tmp_path, format):
    data = small_data(tmp_path / "pictures")
    data = data if format in MANY_CLASSES else one_class(data)
    source = written(format, tmp_path / "out", {"2007_train, 2012.train": data})
    assert len(source.open("train")) == 4


@pytest.mark.parametrize(
    ("format", "inner"),
    [
        ("coco", "annotations/instances_train.json"),
        ("wider", "wider_face_split"),
        ("wider", "wider_face_split/wider_face_train_bbx_gt.txt"),
        ("yolo", "train.txt"),
    ],
)
def test_a_part_of_an_unfinished_one_is_not_read(tmp_path, monkeypatch, format, inner):
    data = one_class(small_data(tmp_path / "pictures"))
    written(format, tmp_path / "out", {"train": data})
    (tmp_path / "out" / ".gluon_yolo").write_text(f"{format} begun\n")
    monkeypatch.chdir((tmp_path / "out" / inner).parent)
    for path in (tmp_path / "out" / inner, Path(inner).name):
        with pytest.raises(UserError, match=r"out: was not written to its end"):
            open_source(path)
