"""KerasSource: lists with boxes, their class names, and errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from gluon_yolo.class_names import VOC_CLASSES
from gluon_yolo.data.keras.source import KerasSource
from gluon_yolo.data.registry import SOURCES, open_source
from gluon_yolo.data.voc.xml_file import write_annotation
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError
from tests.data.yolo.test_source import add, put


@pytest.fixture
def root(tmp_path):
    """Images of 24x32; the second has no object."""
    for name in ("one.jpg", "more/two.jpg", "three 3.jpg"):
        add(tmp_path, name, None)
    put(tmp_path, "train.txt", "more/two.jpg\none.jpg 1,2,11,12,1 0,0,32,24,0\n")
    put(tmp_path, "val.txt", "three 3.jpg 4,5,40,20,1\n")
    put(tmp_path / "model_data", "my_classes.txt", "cat\ndog\n")
    return tmp_path


def test_everything(root):
    assert [name for name in SOURCES if SOURCES[name].recognises(root)] == ["keras"]
    source = open_source(root)
    assert source.parts() == {"train": "train", "val": "val"}
    assert source.class_names(("train",)) == ("cat", "dog")
    train, val = source.open("train"), source.open("val")
    assert [Path(train.name(i)).name for i in range(2)] == ["two.jpg", "one.jpg"]
    assert train.annotations(0).boxes.tolist() == []
    assert train.annotations(1).boxes.tolist() == [[1, 2, 11, 12], [0, 0, 32, 24]]
    assert train.annotations(1).class_ids.tolist() == [1, 0]
    assert val.annotations(0).boxes.tolist() == [[4, 5, 32, 20]]
    assert [issue.kind for issue in val.report.warnings] == ["reaches-out"]
    assert val.report.warnings[0].where == "line 1 (dog, 4,5,40,20,1)"
    assert len(source.open("train,val")) == 3


def test_one_list(root):
    source = open_source(root / "train.txt")
    assert (source.format, source.splits()) == ("keras", ("train",))
    assert len(source.open("train", ("dog", "cat", "cow"))) == 2
    assert source.open("train", ("dog", "cat")).annotations(1).class_ids.tolist() == [0, 1]


def test_a_list_of_images_alone_is_yolos(root):
    (root / "train.txt").unlink()
    put(root, "val.txt", "one.jpg\n")
    assert not KerasSource.recognises(root) and SOURCES["yolo"].recognises(root)


def test_lists_of_another_machine(root):
    put(root, "train.txt", "/home/u/data/one.jpg 1,2,11,12,1\nD:\\data\\more\\two.jpg 1,2,3,4,0\n")
    dataset = open_source(root).open("train")
    assert [Path(dataset.name(i)).name for i in range(2)] == ["one.jpg", "two.jpg"]
    assert dataset.report.notes[0].startswith("train.txt names pictures in /home/u/data; they were found in ")


def test_class_names(root):
    (root / "model_data" / "my_classes.txt").unlink()
    with pytest.raises(UserError, match="no class names: give them with classes FILE"):
        open_source(root).open("train")
    assert open_source(root).open("train", ("a", "b")).class_names == ("a", "b")
    put(root, "classes.txt", "cat\ndog")
    put(root / "model_data", "coco_classes.txt", "dog\ncat")
    with pytest.raises(UserError, match=r"disagree.*/classes\.txt \(2 \(cat, dog\)\), .*coco_classes\.txt"):
        open_source(root).open("train")


VOC, COCO = "\n".join(VOC_CLASSES), "\n".join(("person", *map(str, range(78)), "toothbrush"))


@pytest.mark.parametrize(
    ("files", "boxes", "name", "chosen"),
    [
        (
            {"voc": VOC, "coco": COCO, "my": "cat\ndog"},
            "1",
            "train",
            "my",
        ),  # the user's own file beside shipped ones
        ({"voc": VOC, "my": "cat\ndog"}, "1", "train", "my"),
        ({"voc": VOC, "coco": COCO}, "20", "train", "coco"),  # an id that is not in VOC
        ({"voc": VOC, "coco": COCO}, "19", "2007_train", "voc"),
        ({"voc": VOC, "coco": COCO}, "19", "train", None),
        ({"voc": "cat\ndog\ncow", "coco": COCO}, "2", "train", "voc"),  # the shipped file was overwritten
        ({"voc": "cat\ndog\ncow", "coco": "person\nbicycle"}, "2", "train", "voc"),  # a class id without name
        ({"voc": "cat\ndog", "coco": "dog\ncat"}, "1", "2012_val", "voc"),
        ({"voc": "cat\ndog", "coco": "dog\ncat"}, "1", "val", None),
        ({"voc": "dog\ncat", "my": "cat\ndog"}, "1", "train", None),  # VOC's file by its name only
        ({"voc": "cat\ndog\ncow", "my": "cat\ndog"}, "1", "train", "voc"),  # the other file has fewer names
    ],
)
def test_class_names_that_programs_bring_along(tmp_path, files, boxes, name, chosen):
    add(tmp_path, "one.jpg", None)
    put(tmp_path, f"{name}.txt", f"one.jpg 1,2,11,12,{boxes}")
    for stem, text in files.items():
        put(tmp_path / "model_data", f"{stem}_classes.txt", text)
    source = open_source(tmp_path)
    if chosen:
        assert source.class_names(("train",)) == tuple(files[chosen].split("\n"))
        assert len(source.open(name).annotations(0)) == 1
    else:
        with pytest.raises(UserError, match=r"disagree.*_classes\.txt \(.*_classes\.txt \("):
            source.open(name)


def test_names_beside_against_model_data(root):
    put(root, "x.names", "dog\ncat\n")
    with pytest.raises(
        UserError, match=r"disagree.*x\.names \(2 \(dog, cat\)\), .*my_classes\.txt \(2 \(cat, dog\)"
    ):
        open_source(root).open("train")


def test_keras_yolo3s_own_folder(tmp_path):
    """Its lists are made from the VOCdevkit in it."""
    voc = tmp_path / "VOCdevkit" / "VOC2007"
    add(voc, "JPEGImages/1.jpg", None)
    (voc / "Annotations").mkdir()
    write_annotation(voc / "Annotations" / "1.xml", "1.jpg", (24, 32), Detections.empty(), ("cat",))
    put(tmp_path, "2007_train.txt", "/home/u/keras-yolo3/VOCdevkit/VOC2007/JPEGImages/1.jpg 1,2,11,12,0\n")
    put(tmp_path / "model_data", "voc_classes.txt", "cat\ndog\n")
    source = open_source(tmp_path)
    assert source.format == "keras" and len(source.open("train").annotations(0)) == 1
    assert open_source(tmp_path, "voc").format == open_source(tmp_path / "VOCdevkit").format == "voc"


def test_roboflow(tmp_path):
    """Its lists and names are in the folder of each split."""
    for split, box in (("train", "1,2,11,12,1"), ("valid", "4,5,20,20,0")):
        add(tmp_path, f"{split}/one_jpg.rf.1f.jpg", None)
        put(tmp_path / split, "_annotations.txt", f"one_jpg.rf.1f.jpg {box}\n")
        put(tmp_path / split, "_classes.txt", "cat\ndog\n")
    put(tmp_path, "README.roboflow.txt", "Provided by a Roboflow user")
    assert [name for name in SOURCES if SOURCES[name].recognises(tmp_path)] == ["keras"]
    source = open_source(tmp_path)
    assert source.parts() == {"train": "train", "val": "valid"}
    assert source.class_names() == ("cat", "dog")
    assert source.open("train").annotations(0).boxes.tolist() == [[1, 2, 11, 12]]
    assert source.open("val").annotations(0).boxes.tolist() == [[4, 5, 20, 20]]
    assert open_source(tmp_path / "valid").splits() == ("valid",)
    put(tmp_path / "valid", "_classes.txt", "dog\ncat\n")
    with pytest.raises(UserError, match=r"disagree.*train/_classes\.txt .*valid/_classes\.txt"):
        open_source(tmp_path).open("train")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("one.jpg 1,2,3,4,0\nnone.jpg 1,2,3,4,0", "line 2: there is no picture none.jpg, seen from"),
        (
            "one.jpg 1,2,3,4,0\none.jpg 5,6,7,8,0",
            "line 2: has other boxes than line 1 of .* for the same pict",
        ),
        (
            "one.jpg 1,2,3,4,2",
            r"line 1: class id 2, but of 2 classes the last is 1 \(.*my_classes.txt\)",
        ),
        ("one.jpg 1,2,3,4,0\nx 1,2,3,4,0", "line 2: expected a picture and boxes"),
    ],
)
def test_faults(root, text, problem):
    put(root, "train.txt", text)
    with pytest.raises(UserError, match=f"train.txt: {problem}"):
        open_source(root).open("train")
    if "\n" in text:
        report = open_source(root).open("train", skip_bad=True).report
        assert (report.images, report.skipped) == (1, 1)


def test_the_same_line_twice_is_taken_once(root):
    put(root, "train.txt", "one.jpg 1,2,3,4,0\n" * 2)
    assert len(open_source(root).open("train")) == 1


def test_no_such_split(root):
    with pytest.raises(UserError, match="no split 'test'; there is train, val"):
        open_source(root).open("test")


def encode(path, encoding):
    path.write_bytes(path.read_text().encode(encoding))


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "no picture in it; write one a line"),
        ("# a comment\n", "line 1: expected a picture and boxes"),
        ("o\0n\0e\0", "not UTF-8 text; save the file as UTF-8"),
    ],
)
def test_a_broken_list_is_no_missing_split(root, split, content, problem):
    put(root, f"{split}.txt", content)
    assert KerasSource.recognises(root)
    assert KerasSource(root).parts() == {"train": "train", "val": "val"}
    with pytest.raises(UserError, match=f"{split}.txt: .*{problem}"):
        KerasSource(root).open(split)


def test_utf_16(root):
    for split in ("train", "val"):
        encode(root / f"{split}.txt", "utf-16")
    assert KerasSource.recognises(root)
    assert [len(KerasSource(root).open(split)) for split in ("train", "val")] == [2, 1]


def test_two_lists_of_one_name(root):
    put(root, "train.list", "one.jpg 1,2,3,4,0\n")
    with pytest.raises(UserError, match=r"train\.txt: is a list of the split train, and so is .*train\.list"):
        KerasSource(root).splits()


def test_a_test_list_whose_images_are_not_there(root):
    put(root, "test.txt", "far/t.jpg 1,2,3,4,0\n")
    source = KerasSource(root)
    assert source.parts() == {"train": "train", "val": "val"}
    assert source.left_out() == [
        f"test: left out: {root}/test.txt: line 1: there is no picture far/t.jpg, seen from {root}"
    ]
    with pytest.raises(UserError, match="there is no picture far/t.jpg"):
        source.open("test")


def test_the_current_folder_is_another_data_set(root, tmp_path, monkeypatch):
    other = tmp_path / "other"
    add(other, "four.jpg", None)
    put(root, "val.txt", "four.jpg 1,2,3,4,0\n")
    monkeypatch.chdir(other)
    with pytest.raises(UserError, match=f"line 1: there is no picture four.jpg, seen from {root}\n"):
        KerasSource(root).open("val")


def test_from_the_current_folder(root, tmp_path, monkeypatch):
    other = tmp_path / "other"
    add(other, "four.jpg", None)
    for split in ("train", "val"):
        put(root, f"{split}.txt", "./four.jpg 1,2,3,4,0\n")
    monkeypatch.chdir(other)
    (note,) = KerasSource(root).open("val").report.notes
    assert note == (
        f"val.txt: what it names is not beside it, and was found from the current folder, {other}, such as "
        "./four.jpg"
    )
