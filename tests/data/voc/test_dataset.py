"""VOC data sets: layouts, splits, classes, and errors."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from gluon_yolo.data.voc.dataset import find_class_names, gluoncv_voc_root, open_voc
from gluon_yolo.data.voc.xml_file import write_annotation
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError

NAMES = ("cat", "Dog")


def add(root, stem, box=(1, 2, 11, 12), class_name="cat", extension=".jpg", size_hw=(24, 32)):
    """Write one image of 24x32 with one box, or none; ``size_hw`` is the size in its XML."""
    for folder in ("Annotations", "JPEGImages"):
        (root / folder / stem).parent.mkdir(parents=True, exist_ok=True)
    image = np.full((24, 32, 3), 200, dtype=np.uint8)
    (root / "JPEGImages" / f"{stem}{extension}").write_bytes(cv2.imencode(extension, image)[1].tobytes())
    truth = Detections.empty() if box is None else Detections([box], [0])
    annotation = root / "Annotations" / f"{stem}.xml"
    write_annotation(annotation, f"{stem}{extension}", size_hw, truth, (class_name,))


def add_list(root, name, text):
    folder = root / "ImageSets" / "Main"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.txt").write_text(text)


def stems(dataset):
    return [Path(dataset.name(i)).name.partition(".")[0] for i in range(len(dataset))]


class TestBCCD:
    """The real data set: 364 images, mixed-case names, two boxes without area."""

    @pytest.fixture(scope="class")
    def trainval(self, shared_data):
        return open_voc(shared_data / "bccd" / "BCCD", "trainval")

    def test_trainval(self, trainval):
        assert trainval.report.summary_line() == (
            "BCCD trainval: 292 pictures, 3,941 boxes (Platelets 292, RBC 3,348, WBC 301), "
            "0 without objects, 2 broken boxes dropped"
        )
        assert trainval.class_names == ("Platelets", "RBC", "WBC")
        assert trainval.image(5).shape == (480, 640, 3)
        assert trainval.size_hw(5) == (480, 640)

    def test_broken_boxes_are_named(self, trainval):
        first, second = trainval.report.warnings
        assert first.file.endswith("BloodImage_00338.xml")
        assert (first.where, first.message) == (
            "object 13 (RBC, xmin 504 ymin 337 xmax 504 ymax 337)",
            "box has no area; dropped",
        )
        assert second.file.endswith("BloodImage_00343.xml")
        assert second.where.startswith("object 4 (RBC,")

    def test_truth(self, trainval):
        index = [i for i in range(len(trainval)) if "00343" in trainval.name(i)][0]
        truth = trainval.annotations(index)
        np.testing.assert_array_equal(truth.boxes[:2], [[483, 194, 612, 302], [524, 298, 636, 395]])
        assert set(truth.class_ids[:2]) == {1}
        assert not truth.difficult.any()

    def test_test_split_from_the_folder_above(self, shared_data):
        dataset = open_voc(shared_data / "bccd", "test", ("RBC", "WBC", "Platelets"), check_images=False)
        assert dataset.report.summary_line() == (
            "BCCD test: 72 pictures, 945 boxes (RBC 805, WBC 71, Platelets 69), 0 without objects, "
            "0 broken boxes dropped"
        )

    def test_everything(self, shared_data):
        report = open_voc(shared_data / "bccd" / "BCCD", check_images=False).report
        assert (report.images, report.boxes, report.broken_boxes) == (364, 4886, 2)

    def test_class_names(self, shared_data):
        assert find_class_names(shared_data / "bccd", "train,test") == ("Platelets", "RBC", "WBC")

    def test_survives_pickling(self, trainval):
        copy = pickle.loads(pickle.dumps(trainval))
        np.testing.assert_array_equal(copy.annotations(7).boxes, trainval.annotations(7).boxes)
        assert copy.annotation_paths == trainval.annotation_paths


@pytest.fixture
def devkit(tmp_path):
    """A VOCdevkit of two years, whose lists have one name and different images."""
    for year, names in (("2007", "ab"), ("2012", "cd")):
        root = tmp_path / "VOCdevkit" / f"VOC{year}"
        for name in names:
            add(root, name)
        add_list(root, "trainval", "\n".join(names))
    add_list(tmp_path / "VOCdevkit" / "VOC2007", "test", "b")
    return tmp_path / "VOCdevkit"


class TestLayouts:
    @pytest.mark.parametrize(
        ("inside", "split", "expected"),
        [
            (".", "2007_trainval,2012_trainval", "abcd"),
            (".", ["2012_trainval", "2007_test"], "cdb"),
            (".", "trainval", "abcd"),  # all years with the list
            (".", "test", "b"),
            (".", "test, trainval", "bacd"),  # an image counts once
            (".", None, "abcd"),
            ("..", "2012_trainval", "cd"),  # the parent folder of VOCdevkit
            ("VOC2007", "2007_trainval", "ab"),
            ("VOC2007", "trainval", "ab"),
            ("VOC2007", "all", "ab"),
        ],
    )
    def test_splits_of_a_devkit(self, devkit, inside, split, expected):
        assert "".join(stems(open_voc(devkit / inside, split))) == expected

    def test_titles(self, devkit):
        assert open_voc(devkit, "2007_test").report.title == "VOCdevkit 2007_test"
        assert open_voc(devkit / "VOC2012", "trainval").report.title == "VOC2012 trainval"

    @pytest.mark.parametrize(
        ("inside", "split", "message"),
        [
            ("nowhere", None, "nowhere: no such folder.*VOCdevkit.*Annotations/, JPEGImages/"),
            ("VOC2007/ImageSets", None, "no Annotations/ in it, nor in one folder below it; accepted are"),
            ("VOC2007", "tarin", r"ImageSets.Main: no list tarin.txt; there are test, trainval"),
            (".", "2012_test", "VOC2012.*no list test.txt; there are trainval"),
            (".", "2010_train", "'2010_train': no folder VOC2010; there is .*VOC2007, .*VOC2012"),
            ("VOC2012", "2007_test", "no folder VOC2007"),
        ],
    )
    def test_what_is_missing_is_named(self, devkit, inside, split, message):
        with pytest.raises(UserError, match=message):
            open_voc(devkit / inside, split)

    @pytest.mark.parametrize("missing", ["JPEGImages", "Annotations"])
    def test_half_a_layout(self, tmp_path, missing):
        add(tmp_path, "a")
        (tmp_path / missing).rename(tmp_path / "elsewhere")
        with pytest.raises(UserError, match="Annotations/.*JPEGImages/"):
            open_voc(tmp_path)

    def test_lower_case_names_of_folders(self, tmp_path):
        add(tmp_path, "a")
        (tmp_path / "JPEGImages").rename(tmp_path / "images")
        (tmp_path / "Annotations").rename(tmp_path / "annotations")
        assert stems(open_voc(tmp_path)) == ["a"]

    def test_without_lists_every_tenth_is_held_out(self, tmp_path):
        for number in range(21):
            add(tmp_path, f"{number:02d}")
        train, val = open_voc(tmp_path, "train"), open_voc(tmp_path, "val")
        assert stems(val) == ["09", "19"]
        assert len(train) == 19 and not set(stems(train)) & set(stems(val))
        assert "every 10th picture is val" in val.report.notes[0]
        assert len(open_voc(tmp_path, "trainval")) == len(open_voc(tmp_path)) == 21
        with pytest.raises(UserError, match="no ImageSets/Main/test.txt; without lists there are"):
            open_voc(tmp_path, "test")

    def test_too_few_to_hold_out(self, tmp_path):
        add(tmp_path, "a")
        with pytest.raises(UserError, match="too few pictures"):
            open_voc(tmp_path, "val")

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a\nb\n", ["a", "b"]),
            ("\ufeffb\r\n\r\na  \r\n", ["b", "a"]),
            ("a  1\nb -1\n", ["a", "b"]),  # the list of one class
            ("a.jpg\nb.XML\n", ["a", "b"]),
            ("cat 1\n", ["cat 1"]),  # an image of this name exists
            ("v1.5\nsub/a\n", ["v1", "a"]),
            ("a\nb\na\n", ["a", "b"]),
        ],
    )
    def test_lists(self, tmp_path, text, expected):
        for stem in ("a", "b", "cat 1", "v1.5", "sub/a"):
            add(tmp_path, stem)
        add_list(tmp_path, "train", "")
        (tmp_path / "ImageSets" / "Main" / "train.txt").write_bytes(text.encode())
        assert stems(open_voc(tmp_path, "train")) == expected

    def test_empty_list(self, tmp_path):
        add(tmp_path, "a")
        add_list(tmp_path, "train", " \n\n")
        with pytest.raises(UserError, match="train.txt: the list names no picture"):
            open_voc(tmp_path, "train")

    def test_no_annotations_at_all(self, tmp_path):
        (tmp_path / "Annotations").mkdir()
        (tmp_path / "JPEGImages").mkdir()
        with pytest.raises(UserError, match="no .xml annotation in it"):
            open_voc(tmp_path)

    def test_gluoncv_root(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        assert gluoncv_voc_root() == tmp_path / ".mxnet" / "datasets" / "voc"


class TestClasses:
    @pytest.fixture
    def root(self, tmp_path):
        add(tmp_path, "a", class_name="Dog")
        add(tmp_path, "b", class_name="cat")
        add(tmp_path, "c", box=None)
        return tmp_path

    def test_found_and_sorted(self, root):
        dataset = open_voc(root)
        assert dataset.class_names == ("Dog", "cat")
        assert [dataset.annotations(i).class_ids.tolist() for i in range(3)] == [[0], [1], []]
        assert dataset.report.empty_images == 1
        assert find_class_names(root) == ("Dog", "cat")

    def test_given_order_counts(self, root):
        dataset = open_voc(root, class_names=["bird", "cat", "Dog"])
        assert [dataset.annotations(i).class_ids.tolist() for i in range(3)] == [[2], [1], []]
        assert dataset.report.per_class == {"bird": 0, "cat": 1, "Dog": 1}

    @pytest.mark.parametrize("skip_bad", [False, True])
    def test_unknown(self, root, skip_bad):
        with pytest.raises(UserError) as caught:
            open_voc(root, class_names=["cat", "dog"], skip_bad=skip_bad)
        assert "a.xml: object 1: unknown class 'Dog' (it differs from 'dog' only in case" in str(caught.value)
        assert "known classes are 'cat', 'dog'" in str(caught.value)

    def test_lookalikes_are_kept_apart_with_a_warning(self, root):
        add(root, "d", class_name="cat ")
        dataset = open_voc(root)
        assert dataset.class_names == ("Dog", "cat", "cat ")
        assert "'cat' and 'cat ' differ only in case or blanks" in dataset.report.warnings[0].message

    def test_no_objects_in_what_can_be_read(self, tmp_path):
        add(tmp_path, "a", box=None)
        add(tmp_path, "b")
        cut = tmp_path / "Annotations" / "b.xml"
        cut.write_text(cut.read_text()[:60])
        with pytest.raises(
            UserError, match=r"1 annotation cannot be read, and the others .*Annotations/b\.xml"
        ):
            find_class_names(tmp_path)

    def test_no_objects_anywhere(self, tmp_path):
        add(tmp_path, "a", box=None)
        for read in (open_voc, find_class_names):
            with pytest.raises(UserError, match="no annotation has an object.*give classes"):
                read(tmp_path)
        assert len(open_voc(tmp_path, class_names=NAMES)) == 1


class TestBadFiles:
    @pytest.fixture
    def root(self, tmp_path):
        for stem in ("good", "cut", "broken", "lonely"):
            add(tmp_path, stem)
        cut = tmp_path / "JPEGImages" / "cut.jpg"
        cut.write_bytes(cut.read_bytes()[:-30])
        (tmp_path / "Annotations" / "broken.xml").write_text("<annotation><object>")
        (tmp_path / "JPEGImages" / "lonely.jpg").unlink()
        add_list(tmp_path, "train", "good\ncut\nbroken\nlonely\nabsent\n")
        return tmp_path

    def test_all_are_listed_in_one_error(self, root):
        with pytest.raises(UserError) as caught:
            open_voc(root, "train")
        title, *lines, advice = str(caught.value).splitlines()
        assert title.endswith("train: 4 files cannot be used:")
        for line, (file, why) in zip(
            lines,
            [
                ("cut.jpg", "cut short"),
                ("broken.xml", "no well-formed XML"),
                ("lonely.xml", "there is no picture lonely.jpg"),
                ("absent.xml", "the split names absent, but there is no such annotation"),
            ],
        ):
            assert f"{file}: " in line and why in line
        assert "with skip_bad" in advice

    def test_two_images_of_one_stem(self, tmp_path):
        add(tmp_path, "a", extension=".jpg")
        add(tmp_path, "a", extension=".png")  # its annotation names a.png
        assert open_voc(tmp_path).name(0).endswith("a.png")
        annotation = tmp_path / "Annotations" / "a.xml"
        annotation.write_text(annotation.read_text().replace("a.png", "0001.bmp"))
        with pytest.raises(UserError, match=r"a\.xml: may be of .*a\.jpg or .*a\.png, and its <filename> is"):
            open_voc(tmp_path)
        add(tmp_path, "b")
        assert stems(open_voc(tmp_path, skip_bad=True)) == ["b"]

    def test_skip_bad_leaves_them_out(self, root):
        dataset = open_voc(root, "train", skip_bad=True)
        assert stems(dataset) == ["good"]
        assert dataset.report.skipped == 4
        assert dataset.report.summary_line().endswith("4 pictures left out that cannot be used")
        assert [issue.file.rpartition("/")[2] for issue in dataset.report.errors][0] == "cut.jpg"

    def test_nothing_left(self, root):
        add_list(root, "train", "cut\n")
        with pytest.raises(UserError, match="not one picture can be used, the first: .*cut.jpg"):
            open_voc(root, "train", skip_bad=True)

    def test_unchecked_images_are_believed(self, root):
        add_list(root, "train", "good\ncut\n")
        assert open_voc(root, "train", check_images=False).size_hw(1) == (24, 32)


class TestSizes:
    @pytest.mark.parametrize(
        ("written_hw", "warnings"),
        [((24, 32), 0), ((0, 0), 0), ((32, 24), 1)],  # equal, missing, swapped
    )
    def test_the_images_own_size_counts(self, tmp_path, written_hw, warnings):
        add(tmp_path, "a", size_hw=written_hw, box=(0, 0, 31, 23))
        dataset = open_voc(tmp_path)
        assert dataset.size_hw(0) == (24, 32)
        np.testing.assert_array_equal(dataset.annotations(0).boxes, [[0, 0, 31, 23]])
        assert len(dataset.report.warnings) == warnings
        if warnings:
            assert dataset.report.warnings[0].message == "says 24x32, but the picture has 32x24 pixels"

    @pytest.mark.parametrize("extension", [".jpg", ".png", ".bmp", ".webp", ".JPEG"])
    def test_extensions(self, tmp_path, extension):
        add(tmp_path, "a", extension=extension)
        assert open_voc(tmp_path).image(0).shape == (24, 32, 3)
