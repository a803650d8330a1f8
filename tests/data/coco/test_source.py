"""COCOSource: layouts, splits, classes of several files, records of other tools, unused images."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from gluon_yolo.data.coco.json_file import CocoFile
from gluon_yolo.data.coco.source import COCOSource
from gluon_yolo.data.coco.writer import COCOWriter
from gluon_yolo.errors import UserError
from tests.data.small_data import small_data


def record(file="a.png", categories=("bee",), **annotation):
    """Return the content of an annotation file with one image of 24x32 and one box."""
    box = {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 10, 12], **annotation}
    return {
        "info": {"year": 2020},
        "images": [{"id": 7, "file_name": file, "height": 24, "width": 32}],
        "annotations": [box],
        "categories": [{"id": 3 * number, "name": name} for number, name in enumerate(categories, 1)],
    }


def add_image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, np.full((24, 32, 3), 200, np.uint8))[1].tobytes())


def add_file(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


LAYOUTS = {
    # a name: {annotation file: image}, the path, the parts
    "coco": (
        {
            "annotations/instances_train2017.json": "train2017/a.png",
            "annotations/instances_val2017.json": "val2017/a.png",
        },
        "",
        {"train": "train2017", "val": "val2017"},
    ),
    "images": (
        {"annotations/train.json": "images/a.png", "annotations/val.json": "images/sub/a.png"},
        "",
        {"train": "train", "val": "val"},
    ),
    "images by split": (
        {
            "annotations/instances_train.json": "images/train/a.png",
            "annotations/instances_test.json": "images/test/a.png",
        },
        "",
        {"train": "train", "val": "test"},
    ),
    "roboflow": (
        {f"{split}/_annotations.coco.json": f"{split}/a.png" for split in ("train", "valid", "test")},
        "",
        {"train": "train", "val": "valid", "test": "test"},
    ),
    "a file a split": (
        {"my_train.json": "my_train/a.png", "my_val.json": "images/a.png"},
        "",
        {"train": "my_train", "val": "my_val"},
    ),
    "one file": ({"all.json": "images/a.png"}, "", {"train": "all"}),
    "fiftyone": ({"labels.json": "data/a.png"}, "labels.json", {"train": "labels"}),
    "named, beside": ({"x/all.json": "x/a.png"}, "x/all.json", {"train": "all"}),
    "named, of one split": (
        {"annotations/instances_val2017.json": "val2017/a.png"},
        "annotations/instances_val2017.json",
        {"train": "val2017"},
    ),
    "named, a folder up": ({"labels/val.json": "val/a.png"}, "labels/val.json", {"train": "val"}),
    "years": (
        {
            f"annotations/instances_{split}.json": f"{split}/a.png"
            for split in ("train2014", "train2017", "val2014")
        },
        "",
        {"train": "train2017", "val": "val2014"},
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path, layout):
    files, path, parts = LAYOUTS[layout]
    for file, image in files.items():
        add_image(tmp_path / image)
        add_file(tmp_path / file, record("sub/a.png" if "/sub/" in image else "a.png"))
    assert COCOSource.recognises(tmp_path / path)
    source = COCOSource(tmp_path / path)
    assert source.parts() == parts and len(source.splits()) == len(files)
    opened = {str(Path(source.open(split).name(0)).relative_to(tmp_path)) for split in source.splits()}
    assert opened == set(files.values())


def test_images_of_the_right_split(tmp_path):
    """Both folders have images of these names; those of the split's folder are used."""
    for split in ("train", "val"):
        add_image(tmp_path / split / "a.png")
        add_file(tmp_path / "annotations" / f"{split}.json", record())
    assert COCOSource(tmp_path).open("val").name(0) == str(tmp_path / "val" / "a.png")


def test_files_that_are_not_for_detection_are_passed_over(tmp_path):
    add_image(tmp_path / "val2017" / "a.png")
    add_file(tmp_path / "annotations" / "instances_val2017.json", record())
    add_file(tmp_path / "annotations" / "captions_val2017.json", record())
    add_file(tmp_path / "annotations" / "person_keypoints_val2017.json", record())
    assert COCOSource(tmp_path).splits() == ("val2017",)


def test_a_byte_order_mark_is_no_hindrance(tmp_path):
    add_image(tmp_path / "a.png")
    (tmp_path / "x.json").write_text(json.dumps(record()), encoding="utf-8-sig")
    assert len(COCOSource(tmp_path).open("x")) == 1


@pytest.mark.parametrize("content", [{"shapes": []}, {"pictures": 3, "categories": "none"}, [{"images": []}]])
def test_other_json_is_not_recognised(tmp_path, content):
    add_file(tmp_path / "synthetic.json", content)
    for path in (tmp_path, tmp_path / "synthetic.json"):
        assert not COCOSource.recognises(path)
        with pytest.raises(UserError, match="no COCO annotations; accepted are"):
            COCOSource(path).splits()


@pytest.mark.parametrize(
    "annotation",
    [
        {"segmentation": {"counts": [10, 5, 753], "size": [24, 32]}, "iscrowd": 0},
        {"segmentation": {"counts": "abc", "size": [24, 32]}},
        {"segmentation": [[1, 2, 11, 2, 11, 14]], "attributes": {"occluded": True}},
        {"keypoints": [0] * 51, "score": 0.5, "id": 0},
    ],
)
def test_what_else_an_annotation_has_is_ignored(tmp_path, annotation):
    add_image(tmp_path / "a.png")
    add_file(tmp_path / "x.json", record(**annotation))
    assert COCOSource(tmp_path).open("x").annotations(0).boxes.tolist() == [[1, 2, 11, 14]]


def test_crowds_missing_boxes_and_names_from_windows(tmp_path):
    add_image(tmp_path / "images" / "day 1" / "a.png")
    content = record("day 1\\a.png", bbox=None, segmentation=[[1, 2, 3, 4, 5, 6]])
    content["annotations"].append({**content["annotations"][0], "bbox": [0, 0, 5, 5], "iscrowd": 1})
    add_file(tmp_path / "x.json", content)
    dataset = COCOSource(tmp_path).open("x")
    report = dataset.report
    assert (len(dataset), report.boxes, report.broken_boxes, report.crowd_boxes) == (1, 0, 1, 1)
    assert report.title == f"{tmp_path.name} x"


class TestClassesOfSeveralFiles:
    @pytest.fixture
    def source(self, tmp_path):
        for split, categories in {"train": ("wasp", "bee"), "val": ("bee", "ant")}.items():
            add_image(tmp_path / split / "a.png")
            add_file(tmp_path / f"{split}.json", record(categories=categories))
        return COCOSource(tmp_path)

    def test_all_know_all(self, source):
        names = ("wasp", "bee", "ant")
        assert source.class_names(("train", "val")) == names
        assert source.class_names(("val",)) == ("bee", "ant")
        val = source.open("val")
        assert (val.class_names, val.annotations(0).class_ids.tolist()) == (names, [1])
        assert val.category_ids == (7, 3, 6)  # wasp gets a free id
        assert source.open("train", names).annotations(0).class_ids.tolist() == [0]

    def test_names_that_no_file_knows_are_classes_without_objects(self, source):
        names = ("ox", "bee", "wasp", "ant", "fly")
        val = source.open("val", names)
        assert (val.class_names, val.annotations(0).class_ids.tolist()) == (names, [1])
        assert len(set(val.category_ids)) == 5 and val.report.per_class["ox"] == 0

    def test_objects_of_a_class_that_is_not_given_are_an_error(self, source):
        with pytest.raises(
            UserError, match="val.json: .*unknown class 'bee' .it differs from 'Bee' only in case"
        ):
            source.open("val", ("Bee", "wasp", "ant"))

    def test_coco_counts_them(self, source):
        pytest.importorskip("pycocotools")
        from gluon_yolo.evaluation.coco_ap import COCOMetric

        val = source.open("val")
        metric = COCOMetric.from_dataset(val)
        truth = val.annotations(0)
        metric.update(0, truth.replace(scores=np.ones(1)), truth)
        numbers = metric.compute()
        assert numbers["AP"] == pytest.approx(1) and set(numbers["per_class"]) == {"wasp", "bee", "ant"}


class TestErrors:
    def test_no_such_split(self, tmp_path):
        add_image(tmp_path / "a.png")
        add_file(tmp_path / "annotations" / "instances_x.json", record())
        assert len(COCOSource(tmp_path).open("instances_x")) == 1
        with pytest.raises(UserError, match="no split 'y'; there is x"):
            COCOSource(tmp_path).open("y")

    def test_names_that_say_nothing(self, tmp_path):
        for name in ("x", "y"):
            add_file(tmp_path / f"{name}.json", record())
        with pytest.raises(UserError, match="which split is for training.* x, y; name one of them, or call"):
            COCOSource(tmp_path).parts()

    def test_images_that_are_nowhere(self, tmp_path):
        (tmp_path / "images").mkdir()
        add_file(tmp_path / "x.json", record())
        with pytest.raises(
            UserError, match=r"x.json: cannot find its pictures, such as a.png; looked in .*images"
        ):
            COCOSource(tmp_path).open("x")

    @pytest.mark.parametrize(
        ("key", "value", "why"),
        [
            ("images", {"id": 8, "file_name": None}, r"images\[1\]: file_name None is no text"),
            ("images", {"id": "7", "file_name": "b.png"}, "two images have the same id"),
            ("images", {"id": 7.5, "file_name": "b.png"}, r"images\[1\]: id 7.5 is no number"),
            ("categories", {"id": 8, "name": 5}, r"categories\[1\]: name 5 is no text"),
        ],
    )
    def test_records(self, tmp_path, key, value, why):
        content = record()
        content[key].append(value)
        add_file(tmp_path / "x.json", content)
        with pytest.raises(UserError, match=f"x.json: {why}"):
            COCOSource(tmp_path).open("x")

    @pytest.mark.parametrize("size", [{"width": "wide"}, {"width": None}, {"width": -4}, {"height": 0}])
    def test_sizes_that_are_none_are_measured(self, tmp_path, size):
        add_image(tmp_path / "a.png")
        content = record()
        content["images"][0].update(size)
        add_file(tmp_path / "x.json", content)
        dataset = COCOSource(tmp_path).open("x")
        assert dataset.size_hw(0) == (24, 32) and not dataset.report.warnings


def test_strays(tmp_path):
    for image in (
        "train/a.png",
        "train/b.png",
        "train/deep/c.jpg",
        "val/a.png",
        "val/._a.png",
        "other/z.png",
    ):
        add_image(tmp_path / image)
    (tmp_path / "train" / "notes.txt").write_text("")
    for split in ("train", "val"):
        add_file(tmp_path / "annotations" / f"{split}.json", record())
    add_file(tmp_path / "annotations" / "train1999.json", record("pictures/are/nowhere.png"))
    source = COCOSource(tmp_path)
    source.open("train", ("bee",))  # the file is not read a second time
    found = source.orphans()
    assert [issue.file for issue in found] == [
        str(tmp_path / "train/b.png"),
        str(tmp_path / "train/deep/c.jpg"),
    ]
    assert {(issue.kind, issue.severity) for issue in found} == {("unused-picture", "warning")}


def test_outlines_of_a_large_file_are_not_held(tmp_path):
    add_file(tmp_path / "x.json", record(segmentation=[[1, 2, 11, 2, 11, 14]], iscrowd=0))
    (annotation,) = CocoFile(str(tmp_path / "x.json")).annotations[7]
    assert sorted(annotation) == ["bbox", "category_id", "id", "image_id", "iscrowd"]


def test_difficult_objects_of_converted_data_count_neither_way(tmp_path):
    """As in the original data set: detecting them or not changes no metric."""
    pytest.importorskip("pycocotools")
    from gluon_yolo.evaluation.coco_ap import COCOMetric

    data = small_data(tmp_path / "pictures")
    writer = COCOWriter(tmp_path / "out", data.class_names)
    writer.write("val", data)
    scores = []
    for dataset in (data, COCOSource(writer.finish()).open("val")):
        metric = COCOMetric.from_dataset(dataset)
        for index in range(len(dataset)):
            truth = dataset.annotations(index)
            found = truth[~truth.difficult]
            metric.update(index, found.replace(scores=np.ones(len(found))), truth)
        scores.append(metric.compute()["AP"])
    assert scores[0] == scores[1] == pytest.approx(1)


@pytest.mark.parametrize(
    "prefix",
    [
        "train/",
        "images/train/",
        "/home/u/data/train/",
        "C:\\data\\train\\",
        "http://images.example.org/train2017/",
        "../../",
    ],
)
def test_names_from_another_machine(tmp_path, prefix):
    """CVAT's names have folders, others are absolute paths or URLs: images are found by the ends."""
    for image in ("train/a.png", "val/a.png"):
        add_image(tmp_path / image)
    add_file(tmp_path / "annotations" / "instances_train.json", record(f"{prefix}a.png"))
    add_file(tmp_path / "annotations" / "instances_val.json", record())
    source = COCOSource(tmp_path)
    dataset = source.open("train")
    assert Path(dataset.name(0)).samefile(tmp_path / "train" / "a.png")
    assert source.orphans() == []
    moved = [] if prefix in ("train/", "../../") else dataset.report.notes
    assert all(note.startswith("instances_train.json names pictures in ") for note in moved)


@pytest.mark.parametrize(
    ("others", "problem"), [([], "cannot find its pictures, such as"), (["b.png"], "a.png: cannot")]
)
def test_images_of_a_kind_that_is_not_read_are_named(tmp_path, others, problem):
    content = record("day/a.jpg")
    for number, name in enumerate(others, 8):
        add_image(tmp_path / "images" / name)
        content["images"].append({"id": number, "file_name": name})
    (tmp_path / "images" / "day").mkdir(parents=True)
    (tmp_path / "images" / "day" / "a.HEIC").write_bytes(b"")
    add_file(tmp_path / "x.json", content)
    why = r"\(.*/images/day/a.HEIC is there, but .HEIC is not read: save it as PNG or JPEG\)"
    with pytest.raises(UserError, match=f"{problem.replace('png', 'jpg')}.*{why}"):
        COCOSource(tmp_path).open("x")


@pytest.mark.parametrize(
    ("bbox", "why"),
    [
        (None, "has no bbox"),
        ([], "has no bbox"),
        ("1234", "has a bbox that is no list of four numbers"),
        ([1, 2, 10], "has a bbox that is no list of four numbers"),
        ({"1": 1, "2": 2, "3": 3, "4": 4}, "has a bbox that is no list of four numbers"),
        ([1, 2, float("nan"), 4], "has a corner that is no finite number"),
        (["1", "2", "10", "12"], None),
    ],
)
def test_boxes_that_are_none(tmp_path, bbox, why):
    add_image(tmp_path / "a.png")
    add_file(tmp_path / "x.json", record(bbox=bbox))
    dataset = COCOSource(tmp_path).open("x")
    if why is None:
        assert dataset.annotations(0).boxes.tolist() == [[1, 2, 11, 14]]
        return
    (issue,) = dataset.report.warnings
    assert issue.message.startswith(f"box {why}") and issue.message.endswith("; dropped")
    assert (len(dataset.annotations(0)), dataset.report.broken_boxes, issue.kind) == (0, 1, "not-finite")


def test_one_image_under_two_ids(tmp_path):
    """Boxes divided between two records are missing in each; equal boxes are a copy of the record."""
    for name in ("a.png", "b.png"):
        add_image(tmp_path / name)
    content = record()
    content["images"] += [{"id": 8, "file_name": "./a.png"}, {"id": 9, "file_name": "b.png"}]
    box = content["annotations"][0]
    content["annotations"] += [{**box, "id": 2, "image_id": 8}]
    add_file(tmp_path / "x.json", content)
    assert len(COCOSource(tmp_path).open("x")) == 3
    content["annotations"][1]["bbox"] = [3, 3, 5, 5]
    add_file(tmp_path / "x.json", content)
    with pytest.raises(
        UserError, match=r"x.json: the images 7 and 8 both name .*a.png, with other objects each"
    ):
        COCOSource(tmp_path).open("x")
    assert COCOSource(tmp_path).open("x", skip_bad=True).name(0) == str(tmp_path / "b.png")


def test_names_with_one_end_are_told_apart(tmp_path):
    add_image(tmp_path / "images" / "a.png")
    content = record("monday/a.png")
    content["images"].append({"id": 8, "file_name": "tuesday/a.png"})
    add_file(tmp_path / "x.json", content)
    with pytest.raises(
        UserError, match="image 8: there is no picture tuesday/a.png, and its end is that of mo"
    ):
        COCOSource(tmp_path).open("x")


def test_names_are_not_looked_for_in_the_current_folder(tmp_path, monkeypatch):
    add_image(tmp_path / "here" / "b.png")
    add_image(tmp_path / "data" / "a.png")
    content = record()
    content["images"].append({"id": 8, "file_name": "b.png"})
    add_file(tmp_path / "data" / "x.json", content)
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UserError, match="b.png: cannot read the picture: no such file; image 8 of .*x.json"):
        COCOSource(tmp_path / "data").open("x")


def test_marks_that_cannot_be_told(tmp_path):
    add_image(tmp_path / "a.png")
    add_file(tmp_path / "x.json", record(iscrowd="perhaps"))
    with pytest.raises(UserError, match="annotation 1 of a.png: iscrowd: 'perhaps' is neither 0 nor 1"):
        COCOSource(tmp_path).open("x")


def test_files_of_another_layout_are_noted(tmp_path):
    for split in ("train", "val"):
        add_image(tmp_path / split / "a.png")
        add_file(tmp_path / "annotations" / f"instances_{split}.json", record())
    assert COCOSource(tmp_path).open("val").report.notes == []
    add_file(tmp_path / "annotations" / "person_keypoints_val.json", record())
    add_file(tmp_path / "train" / "_annotations.coco.json", record())
    source = COCOSource(tmp_path)
    (note,) = source.open("val").report.notes
    assert note == f"annotation files of another layout are not read: {tmp_path}/train/_annotations.coco.json"
    assert source.splits() == ("train", "val")


NAMESAKES = {
    # category ids with the name bee, category ids of the annotations, ids that are dropped
    "Roboflow's parent": ((0, 1), (1, 1), ["0"]),
    "the parent has them": ((0, 1), (0,), ["1"]),
    "no annotation": ((0, 1, 2), (), ["0, 1"]),
    "texts": (("x", "y"), ("y",), ["'x'"]),
}


@pytest.mark.parametrize("case", NAMESAKES)
def test_a_namesake_without_annotations_is_left_out(tmp_path, case):
    ids, used, left_out = NAMESAKES[case]
    add_image(tmp_path / "a.png")
    content = record()
    content["categories"] = [{"id": 9, "name": "wasp"}, *({"id": each, "name": "bee"} for each in ids)]
    box = content["annotations"][0]
    content["annotations"] = [{**box, "id": n, "category_id": each} for n, each in enumerate(used)]
    add_file(tmp_path / "x.json", content)
    dataset = COCOSource(tmp_path).open("x")
    bee = dataset.class_names.index("bee")
    assert sorted(dataset.class_names) == ["bee", "wasp"]
    assert dataset.annotations(0).class_ids.tolist() == [bee] * len(used)
    assert dataset.report.notes == [
        f"category {each} has no annotations and the name of another, 'bee'; left out" for each in left_out
    ]


@pytest.mark.parametrize(
    ("categories", "why"),
    [
        (((1, "bee"), (2, "bee")), "the categories 1 and 2 have the same name, 'bee', and both have annot"),
        (((1, "bee"), (1, "ant")), "two categories have the same id"),
    ],
)
def test_categories_that_cannot_be_told_apart(tmp_path, categories, why):
    content = record(category_id=1)
    content["annotations"].append({**content["annotations"][0], "category_id": 2})
    content["categories"] = [{"id": each, "name": name} for each, name in categories]
    add_file(tmp_path / "x.json", content)
    with pytest.raises(UserError, match=f"x.json: {why}"):
        COCOSource(tmp_path).open("x")


def test_two_files_of_one_split(tmp_path):
    add_image(tmp_path / "train" / "a.png")
    for name in ("_annotations.coco.json", "labels.json"):
        add_file(tmp_path / "train" / name, record())
    with pytest.raises(
        UserError, match="labels.json: has annotations of the split train, and so has .*_annot"
    ):
        COCOSource(tmp_path).splits()
    assert COCOSource(tmp_path / "train" / "labels.json").splits() == ("labels",)


def test_splits_among_a_file_for_each_image(tmp_path):
    for number in range(60):
        add_file(tmp_path / f"a{number:02}.json", {"shapes": []})
    add_image(tmp_path / "a.png")
    add_file(tmp_path / "my_train.json", record())
    assert COCOSource.recognises(tmp_path) and COCOSource(tmp_path).splits() == ("my_train",)


def test_one_file_in_the_folder_of_its_split(tmp_path):
    add_image(tmp_path / "train" / "a.png")
    add_file(tmp_path / "train" / "annotations.json", record())
    assert COCOSource(tmp_path).splits() == ("train",)
    assert COCOSource(tmp_path / "train" / "annotations.json").splits() == ("annotations",)


def two_parts(root):
    """Write annotation files for training and validation, each with one image."""
    for part in ("train", "val"):
        add_image(root / part / "a.png")
        add_file(root / "annotations" / f"instances_{part}.json", record())


@pytest.mark.parametrize("part", ["train", "val"])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the annotations are no valid JSON: the file is empty"),
        (b"[]", "no list 'images'"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "it is a Git LFS pointer: get the file itself with",
        ),
    ],
)
def test_a_broken_file_is_no_missing_split(tmp_path, part, content, problem):
    two_parts(tmp_path)
    (tmp_path / "annotations" / f"instances_{part}.json").write_bytes(content)
    source = COCOSource(tmp_path)
    assert source.parts() == {"train": "train", "val": "val"}
    with pytest.raises(UserError, match=f"instances_{part}.json: .*{problem}"):
        source.open(part)


def test_all_files_are_broken(tmp_path):
    for part in ("train", "val"):
        add_file(tmp_path / "annotations" / f"instances_{part}.json", [])
    assert COCOSource.recognises(tmp_path)
    with pytest.raises(UserError, match=r"instances_train.json: no list 'images'"):
        COCOSource(tmp_path).open("train")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_encodings_that_a_mark_tells(tmp_path, encoding):
    two_parts(tmp_path)
    path = tmp_path / "annotations" / "instances_val.json"
    path.write_bytes(path.read_text().encode(encoding))
    assert COCOSource.recognises(path)
    assert len(COCOSource(tmp_path).open("val")) == 1


def test_a_long_description_comes_before_the_lists(tmp_path):
    two_parts(tmp_path)
    content = {"info": {"description": "x" * 200_000}, **{k: v for k, v in record().items() if k != "info"}}
    for part in ("train", "val"):
        add_file(tmp_path / "annotations" / f"instances_{part}.json", content)
    assert COCOSource(tmp_path).splits() == ("train", "val")


@pytest.mark.parametrize("content", [{"categories": [{"id": 0, "name": "a"}], "info": {}}, {"images": [1]}])
def test_notes_of_tools_are_no_annotations(tmp_path, content):
    """Label Studio writes notes.json beside YOLO labels."""
    add_file(tmp_path / "notes.json", content)
    assert not COCOSource.recognises(tmp_path)


@pytest.mark.parametrize("fault", ["pictures", "annotations"])
def test_a_test_split_that_is_not_there_is_left_out(tmp_path, fault):
    two_parts(tmp_path)
    content = record("nowhere.png" if fault == "pictures" else "a.png")
    if fault == "annotations":
        del content["annotations"]
        add_image(tmp_path / "test" / "a.png")
    add_file(tmp_path / "annotations" / "instances_test.json", content)
    source = COCOSource(tmp_path)
    assert source.parts() == {"train": "train", "val": "val"}
    assert source.there() == ("train", "val")
    (note,) = source.left_out()
    assert note.startswith(f"test: left out: {tmp_path}/annotations/instances_test.json: ")
    assert len(COCOSource(tmp_path).open("train")) == 1
    with pytest.raises(UserError, match=r"instances_test.json: "):
        COCOSource(tmp_path).open("test")


def test_a_file_that_no_part_has_is_named(tmp_path):
    for name in ("mini_val2017", "tiny_val2017", "train2017"):
        add_image(tmp_path / name / "a.png")
        add_file(tmp_path / "annotations" / f"instances_{name}.json", record())
    assert COCOSource(tmp_path).in_no_part() == [
        "in no part: mini_val2017; train is train2017, val is tiny_val2017 (flags such as --train-split take "
        "others)"
    ]


@pytest.mark.parametrize(
    ("annotations", "image"),
    [
        ("Annotations/instances_train.json", "Images/a.png"),
        ("ANNOTATIONS/instances_train.json", "Train/a.png"),
        ("annotations/instances_train.json", "Images/TRAIN/A.png"),
    ],
)
def test_folders_in_another_letter_case(tmp_path, annotations, image):
    add_file(tmp_path / annotations, record())
    add_image(tmp_path / image)
    assert COCOSource.recognises(tmp_path)
    dataset = COCOSource(tmp_path).open("train")
    assert dataset.name(0) == str(tmp_path / image)


def test_files_whose_names_say_nothing_are_opened_by_name(tmp_path):
    for name in ("a", "b"):
        add_image(tmp_path / "images" / f"{name}.png")
        add_file(tmp_path / f"{name}.json", record(f"{name}.png"))
    assert len(COCOSource(tmp_path).open("b")) == 1
    assert COCOSource(tmp_path).left_out() == []
