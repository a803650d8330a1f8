"""YOLO data sets: all layouts, their class names, and errors."""

from __future__ import annotations

import logging
import pickle
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from gluon_yolo.data.quality.check import check
from gluon_yolo.data.quality.report import ADVICE
from gluon_yolo.data.yolo import paths
from gluon_yolo.data.yolo.source import YOLOSource
from gluon_yolo.errors import UserError

LABEL = "1 0.5 0.5 0.5 0.25\n"
BOX = [8, 9, 24, 15]  # of LABEL, in an image of 24x32
JPEG = cv2.imencode(".jpg", np.full((24, 32, 3), 200, dtype=np.uint8))[1].tobytes()


def add(root, image, label=LABEL, label_path=None):
    """Write an image of 24x32 and its label, beside it, elsewhere or not at all."""
    path = root / image
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(JPEG)
    if label is not None:
        place = root / label_path if label_path else path.with_suffix(".txt")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(label)


def put(root, name, text):
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
    return root / name


def names_of(dataset, root):
    return [Path(dataset.name(i)).relative_to(root).as_posix() for i in range(len(dataset))]


def open_part(path, part="train", **options):
    source = YOLOSource(path)
    return source.open(source.parts()[part], **options)


@pytest.fixture
def document(tmp_path):
    """The layout in Yolo-FastestV2's documentation; the lists have paths of the machine where it was made."""
    root = tmp_path / "dataset"
    for split, stems in (("train", ("000002", "000001", "000003")), ("val", ("000070", "000043"))):
        for stem in stems:
            add(root, f"{split}/{stem}.jpg")
        put(
            root,
            f"{split}.txt",
            "".join(f"/home/qiuqiu/Desktop/dataset/{split}/{stem}.jpg\n" for stem in stems),
        )
    put(root, "category.names", "person\nbicycle\n")
    return root


class TestDocument:
    def test_folder(self, document):
        source = YOLOSource(document)
        assert YOLOSource.recognises(document)
        assert source.splits() == ("train", "val")
        assert source.parts() == {"train": "train", "val": "val"}
        assert source.class_names(("train",)) == ("person", "bicycle")
        assert source.settings() == {}
        assert source.orphans() == []

    def test_list_keeps_its_order(self, document):
        dataset = open_part(document)
        assert names_of(dataset, document) == ["train/000002.jpg", "train/000001.jpg", "train/000003.jpg"]
        assert dataset.labels[0] == str(document / "train" / "000002.txt")
        assert dataset.class_names == ("person", "bicycle")
        assert dataset.size_hw(0) == (24, 32)
        assert dataset.encoded(0) == JPEG
        np.testing.assert_array_equal(dataset.annotations(0).boxes, [BOX])
        np.testing.assert_array_equal(dataset.annotations(0).class_ids, [1])

    def test_report(self, document):
        report = open_part(document, "val").report
        assert report.summary_line() == (
            "dataset val: 2 pictures, 2 boxes (person 0, bicycle 2), 0 without objects, "
            "0 broken boxes dropped"
        )
        assert report.issues == []
        assert report.notes == [
            "val.txt names pictures in /home/qiuqiu/Desktop/dataset/val; they were found in "
            f"{document / 'val'}"
        ]

    def test_list_alone_offers_its_siblings(self, document):
        source = YOLOSource(document / "train.txt")
        assert YOLOSource.recognises(source.path)
        assert source.splits() == ("train", "val")
        assert len(source.open("val")) == 2
        assert YOLOSource(document / "val.txt").splits() == ("train",)
        assert len(YOLOSource(document / "val.txt").open("train")) == 2

    def test_survives_pickling(self, document):
        dataset = pickle.loads(pickle.dumps(open_part(document)))
        np.testing.assert_array_equal(dataset.annotations(0).boxes, [BOX])

    def test_several_splits(self, document):
        dataset = YOLOSource(document).open("val, train")
        assert names_of(dataset, document)[1:3] == ["val/000043.jpg", "train/000002.jpg"]

    def test_no_such_split(self, document):
        with pytest.raises(UserError, match=r"dataset: no split 'test'; there is train, val"):
            YOLOSource(document).open("test")

    def test_data_file(self, document, tmp_path):
        text = "[name]\nmodel_name=a\n[train-configure]\nepochs=30\n[model-configure]\nclasses=2\n"
        text += "[data-configure]\ntrain=/media/qiuqiu/D/train.txt  # list\nval=/media/qiuqiu/D/val.txt\n"
        text += "names=./data/category.names\n"
        put(document, "my.data", text)
        for path in (document, document / "my.data"):
            source = YOLOSource(path)
            assert YOLOSource.recognises(path)
            assert source.splits() == ("train", "val")
            assert source.class_names() == ("person", "bicycle")
            assert source.settings() == {"epochs": 30, "save_prefix": "runs/a-"}
            assert len(source.open("train")) == 3


class TestLists:
    @pytest.mark.parametrize(
        "line",
        [
            "{root}/pictures/a.jpg",
            "pictures/a.jpg",
            "./pictures/a.jpg",
            "  pictures/a.jpg \t",
            "data/pictures/a.jpg",  # relative to the parent folder, as in darknet's examples
            "/elsewhere/data/pictures/a.jpg",
            "C:\\Users\\me\\data\\pictures\\a.jpg",
            "/elsewhere/a.jpg",
        ],
    )
    def test_where_an_image_may_be(self, tmp_path, line):
        root = tmp_path / "data"
        add(root, "a.jpg" if line == "/elsewhere/a.jpg" else "pictures/a.jpg")
        put(root, "train.txt", f"\n{line.format(root=root)}\n")
        put(root, "my.names", "cat\ndog")
        assert Path(open_part(root).name(0)).read_bytes() == JPEG

    def test_from_the_current_folder(self, tmp_path, monkeypatch):
        add(tmp_path, "here/pictures/a.jpg")
        put(tmp_path / "lists", "train.txt", "pictures/a.jpg")
        put(tmp_path / "lists", "my.names", "cat\ndog")
        monkeypatch.chdir(tmp_path / "here")
        assert len(open_part(tmp_path / "lists")) == 1

    def test_from_the_folder_of_the_data_file(self, tmp_path):
        add(tmp_path, "pictures/a.jpg")
        put(tmp_path / "lists", "t.txt", "pictures/a.jpg")
        put(tmp_path, "my.data", "train = lists/t.txt\nnames = my.names\nclasses = 2")
        put(tmp_path, "my.names", "cat\ndog")
        assert names_of(open_part(tmp_path / "my.data"), tmp_path) == ["pictures/a.jpg"]

    def test_many_folders_that_were_moved_are_not_all_named(self, tmp_path):
        for number in range(6):
            add(tmp_path, f"{number}/a.jpg")
        put(tmp_path, "x.names", "cat\ndog\n")
        put(tmp_path, "train.txt", "".join(f"/old/place/{number}/a.jpg\n" for number in range(6)))
        *_, last = notes = open_part(tmp_path / "train.txt").report.notes
        assert len(notes) == 4 and last == "train.txt: so in 3 more folders"

    def test_missing_images_are_all_named(self, document):
        put(document, "train.txt", "train/000001.jpg\n\ntrain/9.jpg\n/far/8.jpg\n")
        with pytest.raises(UserError) as caught:
            open_part(document)
        message = str(caught.value)
        here = document.absolute()
        assert f"{here}/train.txt: line 3: there is no picture train/9.jpg, seen from {here}\n" in message
        assert f"{here}/train.txt: line 4: there is no picture /far/8.jpg\n" in message
        assert "2 files cannot be used" in message

    def test_missing_images_can_be_skipped(self, document):
        put(document, "train.txt", "train/9.jpg\ntrain/000001.jpg")
        report = open_part(document, skip_bad=True).report
        assert (report.images, report.skipped, report.errors[0].kind) == (1, 1, "missing-picture")

    def test_twice(self, document):
        put(document, "train.txt", f"train/000001.jpg\ntrain/000003.jpg\n{document}/train/000001.jpg\n")
        dataset = open_part(document)
        assert names_of(dataset, document) == ["train/000001.jpg", "train/000003.jpg"]
        assert dataset.report.notes == ["1 picture listed again, and taken once"]

    def test_empty(self, document):
        put(document, "train.txt", "\n")
        with pytest.raises(UserError, match=r"train\.txt: no picture in it; a list names one picture a line"):
            YOLOSource(document / "train.txt").open("train")


class TestFolders:
    def test_beside(self, tmp_path):
        for name in ("b.jpg", "a.PNG", "sub/c.jpeg"):
            add(tmp_path, name)
        put(tmp_path, "classes.txt", "cat\ndog\n")  # labelImg writes it
        add(tmp_path, "._b.jpg", None)  # macOS writes such files
        source = YOLOSource(tmp_path)
        assert YOLOSource.recognises(tmp_path)
        assert source.parts() == {"train": "train"}
        assert names_of(source.open("train"), tmp_path) == ["a.PNG", "b.jpg", "sub/c.jpeg"]
        assert source.class_names() == ("cat", "dog")
        assert source.orphans() == []

    def test_labels_beside_images_are_not_opened_to_see_what_they_are(self, tmp_path, monkeypatch):
        for number in range(3):
            add(tmp_path, f"{number}.jpg")
        put(tmp_path, "classes.txt", "cat\ndog\n")
        opened = []
        monkeypatch.setattr(paths, "first_line", lambda path: opened.append(path.name) or "")
        assert YOLOSource.recognises(tmp_path)
        assert set(opened) == {"classes.txt"}

    def test_ultralytics(self, tmp_path):
        root = tmp_path / "images" / "coco8"  # only the last folder called images counts
        for split in ("train", "val"):
            add(root, f"images/{split}/a.jpg", LABEL, f"labels/{split}/a.txt")
        put(root, "my.names", "cat\ndog")
        source = YOLOSource(root)
        assert YOLOSource.recognises(root)
        assert source.parts() == {"train": "train", "val": "val"}
        dataset = source.open("val")
        assert dataset.labels == (str(root / "labels" / "val" / "a.txt"),)
        np.testing.assert_array_equal(dataset.annotations(0).boxes, [BOX])
        assert source.orphans() == []

    def test_images_without_splits(self, tmp_path):
        add(tmp_path, "images/a.jpg", LABEL, "labels/a.txt")
        put(tmp_path / "labels", "classes.txt", "cat\ndog")
        assert YOLOSource.recognises(tmp_path)
        assert len(open_part(tmp_path).annotations(0)) == 1

    def test_roboflow(self, tmp_path):
        for split in ("train", "valid"):
            add(tmp_path, f"{split}/images/a.jpg", LABEL, f"{split}/labels/a.txt")
        put(tmp_path, "README.roboflow.txt", "See https://example.org")
        put(tmp_path, "my.names", "cat\ndog")
        source = YOLOSource(tmp_path)
        assert YOLOSource.recognises(tmp_path)
        assert source.parts() == {"train": "train", "val": "valid"}
        assert len(source.open("val").annotations(0)) == 1  # the part's name is accepted
        assert source.orphans() == []

    def test_roboflow_yaml(self, tmp_path, caplog):
        for split in ("train", "valid"):
            add(tmp_path, f"{split}/images/a.jpg", LABEL, f"{split}/labels/a.txt")
        text = (
            "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 2\nnames: [cat, dog]\n"
        )
        path = put(tmp_path, "data.yaml", text)
        source = YOLOSource(tmp_path)
        assert YOLOSource.recognises(tmp_path)
        assert YOLOSource.recognises(path)
        assert source.parts() == {"train": "train", "val": "val"}
        assert not caplog.messages  # only the check reports it
        (remark,) = source.remarks()
        assert "data.yaml: test: there is no list or folder ../test/images" in remark
        assert remark.endswith("; left out")
        assert source.class_names() == ("cat", "dog")
        assert names_of(source.open("val"), tmp_path) == ["valid/images/a.jpg"]
        assert source.orphans() == []

    @pytest.mark.parametrize("root", ["path: ../datasets/my\n", "path: my\n", "path: /content/my\n", ""])
    def test_ultralytics_yaml(self, tmp_path, root):
        add(tmp_path / "my", "images/train/a.jpg", LABEL, "labels/train/a.txt")
        add(tmp_path / "my", "images/extra/b.jpg", LABEL, "labels/extra/b.txt")
        put(tmp_path / "my", "more.txt", "./images/extra/b.jpg")
        text = f"{root}train: [images/train, more.txt]\nval: images/val\nnames: {{1: dog, 0: cat}}"
        source = YOLOSource(put(tmp_path if root == "path: my\n" else tmp_path / "my", "data.yaml", text))
        assert names_of(source.open("train"), tmp_path / "my") == ["images/train/a.jpg", "images/extra/b.jpg"]
        assert source.class_names() == ("cat", "dog")
        with pytest.raises(
            UserError, match=r"data\.yaml: val: there is no list or folder images/val, seen from"
        ):
            source.open("val")

    def test_both_descriptions(self, document):
        """The .data file is used: its lists have an order, folders have none."""
        put(document, "my.data", "train=train.txt\nnames=category.names")
        put(document, "data.yaml", "train: train\nnames: [person, bicycle]")
        assert names_of(open_part(document), document)[0] == "train/000002.jpg"
        put(document, "data.yaml", "train: train\nnames: [bicycle, person]")
        with pytest.raises(
            UserError, match=r"disagree.*category\.names \(.*data\.yaml: names \(2 \(bicycle, per"
        ):
            open_part(document)
        assert len(open_part(document / "my.data")) == 3

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("Main/train.txt", "000001\n000002\n"),  # VOC's
            ("notes.txt", "no pictures here"),
            ("annotations.json", "{}"),
            ("conf.yaml", "key: value"),
        ],
    )
    def test_not_ours(self, tmp_path, name, text):
        put((tmp_path / name).parent, Path(name).name, text)
        add(tmp_path, "a.jpg", None)  # an image without a label
        assert not YOLOSource.recognises(tmp_path)
        assert not YOLOSource.recognises(tmp_path / name)
        assert not YOLOSource.recognises(tmp_path / "none")

    def test_nothing(self, tmp_path):
        with pytest.raises(
            UserError, match="no YOLO data in it, neither lists nor pictures; accepted is a darknet"
        ):
            YOLOSource(tmp_path).splits()
        with pytest.raises(UserError, match=r"none: no such file or folder, so no data"):
            YOLOSource(tmp_path / "none").splits()

    def test_empty_descriptions(self, tmp_path):
        with pytest.raises(UserError, match="names no data; it needs a line train=LIST"):
            YOLOSource(put(tmp_path, "my.data", "classes=2")).splits()
        with pytest.raises(UserError, match="names no data; it needs train: and val:"):
            YOLOSource(put(tmp_path, "my.yaml", "names: [a]")).splits()
        with pytest.raises(UserError, match=r"my\.data: line 2: train: there is no list or folder a\.txt"):
            YOLOSource(put(tmp_path, "my.data", "\ntrain=a.txt\nnames=b")).open("train", ("cat",))


class TestClassNames:
    def test_none(self, document):
        (document / "category.names").unlink()
        advice = r"dataset: no class names: give them with classes FILE, or put a \.names file there"
        with pytest.raises(UserError, match=advice):
            YOLOSource(document).class_names()
        with pytest.raises(UserError, match=advice):
            open_part(document)
        assert open_part(document, class_names=("a", "b")).class_names == ("a", "b")

    def test_several_files(self, document):
        put(document, "other.names", "a\nb")
        both = r"names disagree.*category\.names \(2 \(person, bicycle\)\), .*other\.names \(2 \(a, b\)\)"
        with pytest.raises(UserError, match=both):
            YOLOSource(document).class_names()
        put(document, "other.names", "person\nbicycle\n")
        assert YOLOSource(document).class_names() == ("person", "bicycle")

    def test_tools_leave_one_in_each_folder(self, tmp_path):
        """Each file has the classes in the order in which its user drew them."""
        for split, text in (("train", "cat\ndog\n"), ("val", "dog\ncat\n")):
            add(tmp_path, f"{split}/a.jpg")
            put(tmp_path / split, "classes.txt", text)
        source = YOLOSource(tmp_path)
        both = r"train/classes\.txt \(2 \(cat, dog\)\), .*val/classes\.txt \(2 \(dog, cat\)\)"
        for read in (lambda: source.class_names(), lambda: source.open("val")):
            with pytest.raises(UserError, match=both):
                read()
        assert source.open("val", ("cat", "dog")).annotations(0).class_ids.tolist() == [1]

    @pytest.mark.parametrize(
        ("left", "agrees"),
        [
            ("person\nbicycle", True),
            ("person\nbicycle\ncar", True),
            ("person", True),
            ("bicycle\nperson", False),
        ],
    )
    @pytest.mark.parametrize(
        ("name", "text", "origin"),
        [
            ("my.data", "train=train.txt\nnames=category.names", r"category\.names"),
            ("data.yaml", "train: train\nnames: [person, bicycle]", r"data\.yaml: names"),
        ],
    )
    def test_a_description_against_what_tools_left(self, document, name, text, origin, left, agrees):
        put(document, "classes.txt", left)
        source = YOLOSource(put(document, name, text))
        if agrees:
            assert source.class_names() == ("person", "bicycle")
        else:
            with pytest.raises(UserError, match=rf"disagree.*{origin} \(.*classes\.txt \("):
                source.class_names()
        assert source.open("train", ("person", "bicycle")).class_names == ("person", "bicycle")

    @pytest.mark.parametrize(
        "place", ["classes.txt", "Classes.TXT", "labels/classes.txt", "train/classes.txt"]
    )
    def test_a_file_of_names_against_what_tools_left(self, document, place):
        """Also in the folders of the images of a list."""
        left = put((document / place).parent, Path(place).name, "person\nbicycle\ncar\n")
        assert YOLOSource(document).class_names() == ("person", "bicycle")
        left.write_text("bicycle\nperson\n")
        both = rf"disagree.*category\.names \(2 \(person, bicycle\)\), .*/{place} \(2 \(bicycle, person\)\)"
        with pytest.raises(UserError, match=both):
            YOLOSource(document).class_names()
        put(document, "my.data", "train=train.txt\nnames=category.names")
        with pytest.raises(UserError, match=both):
            YOLOSource(document).class_names()

    def test_a_yaml_against_a_file_of_names(self, document):
        path = put(document, "data.yaml", "train: train\nnames: [bicycle, person]")
        with pytest.raises(
            UserError, match=r"disagree.*data\.yaml: names \(2 \(bicycle, .*category\.names \(2"
        ):
            YOLOSource(path).class_names()

    def test_another_file_of_names_beside_the_one_that_the_description_names(self, document):
        """Darknet ships coco.names."""
        put(document, "coco.names", "person\ncar\n")
        path = put(document, "my.data", "train=train.txt\nnames=category.names")
        assert YOLOSource(path).class_names() == ("person", "bicycle")

    @pytest.mark.parametrize("lists", [True, False])
    def test_tools_leave_them_by_labels_alone(self, tmp_path, lists):
        for split, names in (("train", "cat\ndog\n"), ("val", "cat\ndog\ncow\n")):
            add(tmp_path, f"images/{split}/a.jpg", LABEL, f"labels/{split}/a.txt")
            put(tmp_path / "labels" / split, "classes.txt", names)
            if lists:
                put(tmp_path, f"{split}.txt", f"/home/u/images/{split}/a.jpg\n")
        assert YOLOSource(tmp_path).class_names() == ("cat", "dog", "cow")  # one file continues the other
        put(tmp_path / "labels" / "train", "classes.txt", "dog\ncat\n")
        with pytest.raises(UserError, match=r"disagree.*train/classes\.txt \(2 \(dog.*val/classes\.txt \(3"):
            YOLOSource(tmp_path).class_names()

    def test_roboflows_darknet(self, tmp_path):
        for split in ("train", "valid"):
            add(tmp_path, f"{split}/a.jpg")
            put(tmp_path / split, "_darknet.labels", "cat\ndog\n")
        source = YOLOSource(tmp_path)
        assert source.parts() == {"train": "train", "val": "valid"}
        assert source.class_names() == ("cat", "dog")
        assert source.orphans() == [] and len(source.open("valid").annotations(0)) == 1
        put(tmp_path / "valid", "_darknet.labels", "dog\ncat\n")
        with pytest.raises(UserError, match=r"disagree.*train/_darknet\.labels.*valid/_darknet\.labels"):
            YOLOSource(tmp_path).class_names()

    def test_file_of_the_description_is_missing(self, document):
        path = put(document, "my.data", "train=train.txt\nnames=none.names")
        with pytest.raises(
            UserError, match=r"my\.data: line 2: names: there is no file none\.names: give them"
        ):
            YOLOSource(path).class_names()

    @pytest.mark.parametrize(
        ("name", "text", "place"),
        [
            ("my.data", "train=train.txt\nclasses=3\nnames=category.names", "my.data: line 2"),
            ("data.yaml", "train: train\nnc: 3\nnames: [person, bicycle]", "data.yaml: nc"),
        ],
    )
    def test_other_number_than_declared(self, document, name, text, place):
        source = YOLOSource(put(document, name, text))
        pattern = rf"{re.escape(place)}: says 3 classes, but .*names has 2 \(person, bicycle\)"
        with pytest.raises(UserError, match=pattern):
            source.class_names()
        with pytest.raises(UserError, match=pattern):
            source.open("train")

    def test_given_number_against_the_declared(self, document):
        source = YOLOSource(put(document, "my.data", "train=train.txt\nclasses=2"))
        with pytest.raises(UserError, match="line 2: says 2 classes, but the list of class names has 1"):
            source.open("train", ("person",))

    def test_given_names_are_matched(self, document):
        """A model may have the classes in another order; ids follow the names, not the numbers."""
        dataset = open_part(document, class_names=("bicycle", "car", "person"))
        assert dataset.annotations(0).class_ids.tolist() == [0]
        with pytest.raises(UserError, match=r"000002\.txt: line 1: unknown class 'bicycle'"):
            open_part(document, class_names=("person", "Bike"))


class TestFaults:
    @pytest.fixture
    def root(self, tmp_path):
        put(tmp_path, "my.names", "cat\ndog")
        add(tmp_path, "train/good.jpg")
        return tmp_path

    def test_all_bad_files_in_one_message(self, root):
        add(root, "train/broken.jpg", "0 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.1")
        add(root, "train/class.jpg", "0 0.5 0.5 0.1 0.1\n\n7 0.5 0.5 0.1 0.1")
        add(root, "train/cut.jpg")
        (root / "train" / "cut.jpg").write_bytes(JPEG[: len(JPEG) // 2])
        with pytest.raises(UserError) as caught:
            open_part(root)
        lines = str(caught.value).splitlines()
        folder = f"  {root}/train"
        assert lines[0].endswith(": 3 files cannot be used:")
        assert lines[1].startswith(f"{folder}/broken.txt: line 2: expected 'class cx cy w h'")
        assert lines[2] == (
            f"{folder}/class.txt: line 3: class id 7, but of 2 classes the last is 1 ({root}/my.names)"
        )
        assert lines[3].startswith(f"{folder}/cut.jpg: cannot read the picture")
        report = open_part(root, skip_bad=True).report
        assert (report.images, report.skipped) == (1, 3)
        assert [issue.kind for issue in report.errors] == [
            "broken-label",
            "unknown-class",
            "unreadable-picture",
        ]

    def test_nothing_left(self, root):
        (root / "train" / "good.jpg").write_bytes(b"")
        with pytest.raises(UserError, match=r"not one picture can be used, the first: .*good\.jpg"):
            open_part(root, skip_bad=True)

    def test_missing_label(self, root):
        add(root, "images/a.jpg", None)
        put(root, "train.txt", "train/good.jpg\nimages/a.jpg")
        dataset = open_part(root)
        (issue,) = dataset.report.warnings
        assert (issue.kind, issue.file) == ("background-picture", str(root / "images" / "a.jpg"))
        begin = f"has no label file {root}/labels/a.txt"
        assert issue.message == f"{begin}: taken as background, pictures without objects"
        assert len(dataset.annotations(1)) == 0
        assert dataset.report.empty_images == 1
        for name in "bc":
            add(root, f"images/{name}.jpg", None)
        put(root, "train.txt", "train/good.jpg\nimages/a.jpg\nimages/b.jpg\nimages/c.jpg")
        (issue,) = open_part(root).report.warnings
        assert issue.message.startswith(f"{begin}, nor have 2 more pictures: taken")
        found = check(YOLOSource(root)).issues
        assert [f.severity for f in found if f.kind == "background-picture"] == ["warning"]

    def test_no_label_at_all(self, root):
        """The labels are elsewhere: no image counts as background."""
        for name in "ab":
            add(root, f"images/{name}.jpg", None)
        put(root, "train.txt", "images/a.jpg\nimages/b.jpg")
        assert [issue.kind for issue in open_part(root).report.warnings] == ["missing-label"] * 2
        found = check(YOLOSource(root)).issues
        assert [f.severity for f in found if f.kind == "missing-label"] == ["error"] * 2

    def test_empty_label_is_no_fault(self, root):
        add(root, "train/good.jpg", "")
        report = open_part(root).report
        assert (report.empty_images, report.issues) == (1, [])

    @pytest.mark.parametrize(
        ("line", "kind"),
        [
            ("0 0.5 0.5 0 0.1", "no-area"),
            ("0 nan 0.5 0.1 0.1", "not-finite"),
            ("0 1e300 0.5 1e300 0.1", "not-finite"),
            ("0 0.5 0.5 -0.1 0.1", "swapped-corners"),
            ("0 1.5 0.5 0.1 0.1", "outside"),
        ],
    )
    def test_broken_box(self, root, line, kind):
        add(root, "train/good.jpg", f"{LABEL}{line}\n")
        dataset = open_part(root)
        (issue,) = dataset.report.warnings
        assert (issue.kind, issue.file) == (kind, str(root / "train" / "good.txt"))
        assert issue.where == f"line 2 (cat, {line[2:]})"
        assert (len(dataset.annotations(0)), dataset.report.broken_boxes) == (1, 1)

    def test_reaching_out_is_clipped(self, root):
        add(root, "train/good.jpg", "1 0.9 0.5 0.4 0.5\n")
        dataset = open_part(root)
        assert [issue.kind for issue in dataset.report.warnings] == ["reaches-out"]
        np.testing.assert_allclose(dataset.annotations(0).boxes, [[22.4, 6, 32, 18]], atol=1e-5)

    def test_polygons_are_noted_once(self, root):
        add(root, "train/a.jpg", "0 0 0 0.5 0 0.5 0.5\n0 0.5 0.5 1 0.5 1 1\n")
        add(root, "train/b.jpg", "0 0 0 0.5 0 0.5 0.5\n")
        dataset = open_part(root)
        assert dataset.report.notes == ["3 objects outlined by polygons, taken as boxes"]
        np.testing.assert_array_equal(dataset.annotations(0).boxes, [[0, 0, 16, 12], [16, 12, 32, 24]])

    def test_labels_of_a_tracker(self, root):
        """A box with confidence and track id has as many numbers as a triangle, but is none."""
        for stem, text in (("a", "0 0.5 0.5 0.2 0.1 0.87 1\n"), ("b", f"{LABEL}1 0.5 0.5 0.2 0.1 0.4 2\n")):
            add(root, f"train/{stem}.jpg", text)
        with pytest.raises(UserError, match=r"2 files cannot be used") as caught:
            open_part(root)
        for place in ("a.txt: line 1", "b.txt: line 2"):
            assert f"{place}: 7 words: a confidence and a track id seem to end them" in str(caught.value)
        report = open_part(root, skip_bad=True).report
        assert (report.images, report.skipped) == (1, 2)

    def test_confidence_alone(self, root):
        add(root, "train/a.jpg", "0 0.5 0.5 0.2 0.1 0.87")
        with pytest.raises(UserError, match=r"got 6 words \(the last may be a confidence: take it off\)"):
            open_part(root)


class TestStrays:
    def test_labels_and_images(self, document):
        put(document / "train", "lost.txt", LABEL)
        put(document / "train", "empty.txt", "")
        put(document / "train", "named.txt", "cat 0.5 0.5 0.1 0.1")
        put(document / "train", "classes.txt", "1 2 3 4 5")
        put(document / "train", "README.txt", "Pictures of a street, 1 2 3 4 5")
        add(document, "val/new.jpg")
        orphans = [
            (Path(f.file).relative_to(document).as_posix(), f.kind) for f in YOLOSource(document).orphans()
        ]
        assert orphans == [
            ("train/empty.txt", "stray-label"),
            ("train/lost.txt", "stray-label"),
            ("train/named.txt", "stray-label"),
            ("val/new.jpg", "unused-picture"),
        ]
        assert all(issue.kind in ADVICE for issue in YOLOSource(document).orphans())

    def test_folder_of_labels(self, tmp_path):
        add(tmp_path, "images/train/a.jpg", LABEL, "labels/train/a.txt")
        put(tmp_path / "labels" / "train" / "day2", "b.txt", LABEL)
        (stray,) = YOLOSource(tmp_path).orphans()
        assert stray.file == str(tmp_path / "labels" / "train" / "day2" / "b.txt")
        assert str(stray) == f"{stray.file}: a label without a picture"

    def test_lists_beside_images(self, tmp_path):
        add(tmp_path, "a.jpg")
        put(tmp_path, "train.txt", "a.jpg")
        put(tmp_path, "anchors6.txt", "12.64,19.39, 37.88,51.48\n0.63")
        assert YOLOSource(tmp_path).orphans() == []

    def test_broken_split_is_passed_over(self, document, caplog):
        caplog.set_level(logging.INFO)
        put(document, "my.data", "train=train.txt\nval=none.txt")
        put(document / "train", "lost.txt", LABEL)
        assert [issue.kind for issue in YOLOSource(document).orphans()] == ["stray-label"]


class TestNothingIsTakenForAnother:
    """Two splits never become one folder, and ambiguous paths are reported."""

    @pytest.fixture
    def root(self, tmp_path):
        for split, stems in (("train", "abc"), ("val", "de")):
            for stem in stems:
                add(tmp_path / "cells", f"images/{split}/{stem}.jpg", LABEL, f"labels/{split}/{stem}.txt")
        return tmp_path / "cells"

    def test_folders_of_another_layout(self, root):
        put(root, "data.yaml", "train: ../train/images\nval: ../valid/images\nnames: [cat, dog]")
        source = YOLOSource(root)
        for split in ("train", "val"):
            with pytest.raises(UserError) as caught:
                source.open(split)
            assert f"there is no list or folder ../{'valid' if split == 'val' else split}/images" in str(
                caught.value
            )
            assert f"({root}/images/{split} is)" in str(caught.value)

    @pytest.mark.parametrize("train", ["images", "./images/", "/elsewhere/cells/images"])
    def test_a_folder_within_another(self, root, train):
        put(root, "data.yaml", f"train: {train}\nval: images/val\nnames: [cat, dog]")
        source = YOLOSource(root)
        with pytest.raises(
            UserError, match="train: .*/images holds .*/images/val as well, which val names: its"
        ):
            source.open("train")
        assert len(source.open("val")) == 2

    def test_one_place_on_purpose(self, root):
        """As in the small data sets that other programs ship."""
        put(root, "data.yaml", "train: images/train\nval: images/train\nnames: [cat, dog]")
        source = YOLOSource(root)
        assert len(source.open("train")) == len(source.open("val")) == 3

    def test_two_lists_that_were_moved_to_one_place(self, root):
        put(root, "list.txt", "images/train/a.jpg\n")
        put(root, "data.yaml", "train: /old/train/list.txt\nval: /old/val/list.txt\nnames: [cat, dog]")
        with pytest.raises(
            UserError, match="val: .*; what has the end of its name was found for /old/train/list"
        ):
            YOLOSource(root).open("val")

    def test_two_descriptions(self, root):
        for name, train in (("data.yaml", "images/train"), ("old.yaml", "images/val")):
            put(root, name, f"train: {train}\nval: images/val\nnames: [cat, dog]")
        with pytest.raises(
            UserError, match=r"several files describe its data: data\.yaml, old\.yaml; name one"
        ):
            YOLOSource(root).splits()
        assert len(YOLOSource(root / "data.yaml").open("train")) == 3

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("args.yaml", "task: detect\nmode: train\ndata: data.yaml\nval: true\nsplit: val\n"),
            ("a_model.yaml", "nc: 2\nnames: [a, b]\nbackbone:\n  - [-1, 1, Conv, [64, 3, 2]]\n"),
            ("config.yaml", "train:\n  epochs: 3\nval:\n  batch: 2\n"),
            ("config.yml", "val: ../other/images\n"),
            ("a.yaml", "train: 1\nval: 0.5\n"),
        ],
    )
    def test_other_yamls_beside_the_description(self, root, name, text):
        put(root, name, text)
        put(root, "data.yaml", "train: images/train\nval: images/val\nnames: [cat, dog]")
        source = YOLOSource(root)
        assert source.class_names() == ("cat", "dog")
        assert (len(source.open("train")), len(source.open("val"))) == (3, 2)

    def test_a_description_that_names_no_data(self, root):
        put(root, "data.yaml", "train:\nnames: [cat, dog]")
        with pytest.raises(UserError, match=r"data\.yaml: names no data; it needs train: and val:"):
            YOLOSource(root).splits()

    def test_settings_beside_folders_that_nothing_describes(self, root):
        put(root, "args.yaml", "task: detect\nval: true\n")
        put(root, "my.names", "cat\ndog")
        assert YOLOSource.recognises(root)
        assert len(YOLOSource(root).open("val")) == 2

    def test_images_beside_the_folder_for_validation(self, tmp_path):
        put(tmp_path, "my.names", "cat\ndog")
        add(tmp_path, "images/a.jpg", LABEL, "labels/a.txt")
        add(tmp_path, "images/val/b.jpg", LABEL, "labels/val/b.txt")
        with pytest.raises(
            UserError, match=r"labelled pictures lie elsewhere too, as .*images/a\.jpg: put those for"
        ):
            YOLOSource(tmp_path).splits()

    def test_images_beside_both_folders(self, root):
        put(root, "my.names", "cat\ndog")
        add(root, "images/preview.jpg", None)
        assert open_part(root).report.notes == []
        add(root, "images/backup/a.jpg", LABEL, "labels/backup/a.txt")
        (note,) = open_part(root).report.notes
        assert note.endswith("labelled pictures lie elsewhere too, as "
                             f"{root}/images/backup/a.jpg; they are left out")  # fmt: skip

    def test_two_labels_of_one_image(self, root):
        put(root, "my.names", "cat\ndog")
        put(root / "images" / "train", "a.txt", "0 0.1 0.1 0.1 0.1")
        with pytest.raises(
            UserError, match=r"labels/train/a\.txt: differs from .*images/train/a\.txt, which is a la"
        ):
            open_part(root)
        put(root / "images" / "train", "a.txt", LABEL)
        assert len(open_part(root)) == 3

    def test_two_labels_by_the_letter_case_of_their_ending(self, root):
        put(root, "my.names", "cat\ndog")
        put(root / "labels" / "train", "a.TXT", "0 0.1 0.1 0.1 0.1")
        with pytest.raises(
            UserError, match=r"labels/train/a\.TXT: differs from .*labels/train/a\.txt, which is a la"
        ):
            open_part(root)
        put(root / "labels" / "train", "a.TXT", LABEL)
        assert len(open_part(root)) == 3

    def test_two_images_of_one_label(self, root):
        put(root, "my.names", "cat\ndog")
        add(root, "images/train/a.png", None)
        dataset = open_part(root)
        assert len(dataset) == 4
        (warning,) = [issue for issue in dataset.report.warnings if issue.kind == "shared-label"]
        train = root / "images" / "train"
        assert warning.message == f"is taken as the label of each of {train / 'a.jpg'}, {train / 'a.png'}"
