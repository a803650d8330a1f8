"""COCO data sets: boxes, ids, crowds, and errors."""

from __future__ import annotations

import copy
import json
import pickle

import cv2
import numpy as np
import pytest

from gluon_yolo.data.coco.dataset import gluoncv_coco_root, open_coco
from gluon_yolo.errors import UserError

NAN = float("nan")

# Ids are neither ordered nor dense, as in the real files.
CONTENT = {
    "images": [
        {"id": 9, "file_name": "nine.jpg", "height": 24, "width": 32},
        {"id": 4, "file_name": "sub/four.png", "height": 24, "width": 32},
        {"id": 7, "file_name": "seven.jpg"},
    ],
    "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
    "annotations": [
        {"id": 1, "image_id": 9, "category_id": 18, "bbox": [1, 2, 10.5, 12], "iscrowd": 0},
        {"id": 2, "image_id": 9, "category_id": 1, "bbox": [0, 0, 32, 24], "iscrowd": 1},
        {"id": 3, "image_id": 9, "category_id": 1, "bbox": [3, 3, 4, 4], "segmentation": [[3, 3, 7, 7]]},
        {"id": 5, "image_id": 4, "category_id": 1, "bbox": [5, 5, 0, 10]},
        {"id": 6, "image_id": 4, "category_id": 1, "bbox": [30, 20, 10, 10]},
    ],
}


@pytest.fixture
def content():
    return copy.deepcopy(CONTENT)


def write(root, content):
    """Write a data set in COCO's layout; every image is 24x32."""
    picture = np.full((24, 32, 3), 200, dtype=np.uint8)
    for image in content.get("images", []):
        path = root / "val" / image["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations" / "instances_val.json").write_text(json.dumps(content))
    return root


def open_val(root, **options):
    """Open the data set of :func:`write`."""
    return open_coco(root / "annotations" / "instances_val.json", root / "val", **options)


class TestReading:
    def test_everything(self, tmp_path, content):
        dataset = open_val(write(tmp_path, content))
        assert dataset.class_names == ("person", "dog")  # in the order of the category ids
        assert dataset.category_ids == (1, 18)
        assert [dataset.image_id(i) for i in range(3)] == [4, 7, 9]
        assert dataset.annotations_file == str(tmp_path / "annotations" / "instances_val.json")
        assert dataset.name(0) == str(tmp_path / "val" / "sub/four.png")
        assert dataset.image(1).shape == (24, 32, 3)
        np.testing.assert_array_equal(dataset.annotations(0).boxes, [[30, 20, 32, 24]])  # clipped
        np.testing.assert_array_equal(dataset.annotations(1).boxes, np.zeros((0, 4)))
        np.testing.assert_array_equal(dataset.annotations(2).boxes, [[1, 2, 11.5, 14], [3, 3, 7, 7]])
        assert dataset.annotations(2).class_ids.tolist() == [1, 0]

    def test_report(self, tmp_path, content):
        report = open_val(write(tmp_path, content)).report
        assert report.summary_line() == (
            "instances_val: 3 pictures, 3 boxes (person 2, dog 1), 1 without objects, "
            "1 crowd box left out, 1 broken box dropped"
        )
        assert [(issue.where, issue.message) for issue in report.warnings] == [
            ("annotation 5 of sub/four.png (person, [5, 5, 0, 10])", "box has no area; dropped"),
            (
                "annotation 6 of sub/four.png (person, [30, 20, 10, 10])",
                "box reaches out of the 32x24 picture; clipped",
            ),
        ]

    def test_class_names_give_the_order(self, tmp_path, content):
        dataset = open_val(write(tmp_path, content), class_names=["dog", "person"])
        assert dataset.category_ids == (18, 1)
        assert dataset.annotations(2).class_ids.tolist() == [0, 1]

    @pytest.mark.parametrize(
        "bbox", [None, "wide", [1, 2, 3], [1, 2, 3, None], [1, 2, 3, NAN], [1, 2, -3, 4], [50, 2, 3, 4]]
    )
    def test_broken_boxes_are_dropped(self, tmp_path, content, bbox):
        content["annotations"] = [{"id": 3, "image_id": 9, "category_id": 1, "bbox": bbox}]
        dataset = open_val(write(tmp_path, content))
        assert (dataset.report.boxes, dataset.report.broken_boxes, len(dataset.report.warnings)) == (0, 1, 1)

    def test_annotations_of_no_image(self, tmp_path, content):
        content["annotations"][0]["image_id"] = 1000
        dataset = open_val(write(tmp_path, content))
        assert "1 annotations are of no image" in dataset.report.warnings[-1].message

    def test_survives_pickling(self, tmp_path, content):
        dataset = pickle.loads(pickle.dumps(open_val(write(tmp_path, content))))
        assert dataset.image_id(2) == 9
        np.testing.assert_array_equal(dataset.annotations(0).boxes, [[30, 20, 32, 24]])

    def test_sizes(self, tmp_path, content):
        content["images"][0].update(height=32, width=24)
        root = write(tmp_path, content)
        checked = open_val(root)
        assert checked.size_hw(2) == (24, 32)
        assert checked.report.warnings[-1].message == "says 24x32, but the picture has 32x24 pixels"
        believed = open_val(root, check_images=False)
        assert (believed.size_hw(2), believed.size_hw(1)) == ((32, 24), (24, 32))

    def test_gluoncv_root(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        assert gluoncv_coco_root() == tmp_path / ".mxnet" / "datasets" / "coco"


class TestPycocotoolsAgrees:
    def test_boxes(self, tmp_path, content):
        pycocotools = pytest.importorskip("pycocotools.coco")
        for annotation in content["annotations"]:
            annotation.setdefault("iscrowd", 0)  # pycocotools requires it
        dataset = open_val(write(tmp_path, content))
        api = pycocotools.COCO(dataset.annotations_file)
        for index in (1, 2):
            ids = api.getAnnIds(imgIds=dataset.image_id(index), iscrowd=False)
            theirs = [annotation["bbox"] for annotation in api.loadAnns(ids)]
            ours = dataset.annotations(index).boxes.copy()
            ours[:, 2:] -= ours[:, :2]
            np.testing.assert_array_equal(ours, np.reshape(theirs, (-1, 4)))


def edited(content, edit):
    edit(content)
    return content


class TestErrors:
    @pytest.mark.parametrize(
        ("edit", "message"),
        [
            (lambda c: c.pop("categories"), "no list 'categories'"),
            (lambda c: c.update(annotations={}), "no list 'annotations'"),
            (lambda c: c.update(images=[]), "the list 'images' is empty"),
            (lambda c: c.update(categories=[]), "the list 'categories' is empty"),
            (lambda c: c["images"].append({"id": 9, "file_name": "x.jpg"}), "two images have the same id"),
            (lambda c: c["categories"].append({"id": 18, "name": "cow"}), "two categories have the same id"),
            (
                lambda c: c["annotations"].append({"id": 1, "image_id": 9, "caption": "a dog"}),
                r"annotations\[5\]: expected a record with image_id and category_id",
            ),
            (
                lambda c: c["annotations"][0].update(category_id=[1]),
                r"s\[0\]: category_id \[1\] is",
            ),
            (lambda c: c["annotations"][0].update(image_id={}), r"annotations\[0\]: image_id {} is"),
            (lambda c: c["categories"][0].update(id=None), r"categories\[0\]: id None is no number"),
        ],
    )
    def test_content(self, tmp_path, content, edit, message):
        write(tmp_path, content)
        write(tmp_path, edited(content, edit))
        with pytest.raises(UserError, match=f"instances_val.json: .*{message}"):
            open_val(tmp_path)

    @pytest.mark.parametrize(
        ("text", "message"),
        [("{", "no valid JSON"), ("[]", "no list 'images'"), ("\xff", "no valid JSON"), (None, "No such")],
    )
    def test_file(self, tmp_path, text, message):
        path = tmp_path / "a.json"
        if text is not None:
            path.write_bytes(text.encode("latin-1"))
        with pytest.raises(UserError, match=f"a.json: .*{message}"):
            open_coco(path, tmp_path)

    def test_unknown_category(self, tmp_path, content):
        """An image with an unknown category cannot be used; all others can."""
        content["annotations"][0]["category_id"] = 99
        root = write(tmp_path, content)
        with pytest.raises(UserError, match="1 of nine.jpg: no category has its .* 99\n.* with skip_bad"):
            open_val(root)
        dataset = open_val(root, skip_bad=True)
        assert (dataset.image_ids, dataset.report.skipped) == ((4, 7), 1)
        assert [issue.kind for issue in dataset.report.errors] == ["unknown-class"]

    def test_numbers_beyond_all_bounds(self, tmp_path, content):
        content["annotations"][0]["bbox"] = [10**400, 0, 1, 1]
        report = open_val(write(tmp_path, content)).report
        assert [issue.kind for issue in report.issues if "annotation 1 " in issue.where] == ["not-finite"]

    def test_unknown_classes(self, tmp_path, content):
        root = write(tmp_path, content)
        with pytest.raises(UserError, match="annotation 5 of sub/four.png: unknown class 'person'"):
            open_val(root, class_names=["dog"])
        with pytest.raises(UserError, match="no category 'Dog'; its categories are 'person', 'dog'"):
            open_val(root, class_names=["Dog", "person"])

    def test_no_folder_of_images(self, tmp_path, content):
        write(tmp_path, content)
        (tmp_path / "val").rename(tmp_path / "elsewhere")
        with pytest.raises(UserError, match="val: no such folder; it should hold the pictures of .*val.json"):
            open_val(tmp_path)

    def test_bad_images(self, tmp_path, content):
        root = write(tmp_path, content)
        (root / "val" / "nine.jpg").unlink()
        (root / "val" / "seven.jpg").write_bytes(b"no picture")
        with pytest.raises(UserError, match="2 files cannot be used") as caught:
            open_val(root)
        assert "seven.jpg: cannot read" in str(caught.value) and "nine.jpg: cannot read" in str(caught.value)
        dataset = open_val(root, skip_bad=True)
        assert (dataset.image_ids, dataset.report.skipped) == ((4,), 2)
        (root / "val" / "sub/four.png").unlink()
        with pytest.raises(UserError, match="not one picture can be used"):
            open_val(root, skip_bad=True)
