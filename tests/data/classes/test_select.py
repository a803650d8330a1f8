"""Class selection in every format: some classes only, classes by other names, several merged into one."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from gluon_yolo.data.classes.select import Classes, open_parts, select
from gluon_yolo.data.classes.spelling import Spellings
from gluon_yolo.data.registry import WRITERS, open_source
from tests.data.coco.test_source import add_file, add_image, record
from tests.data.small_data import MANY_CLASSES, NAMES, small_data  # wasps and Bees, and no grey ant
from tests.printed import refused

BOTH = {"train": "train", "val": "val"}


@pytest.fixture(scope="module", params=MANY_CLASSES)
def source(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param)
    data, writer = small_data(root / "pictures"), WRITERS[request.param](root / "out", NAMES)
    for split in ("train", "val"):
        writer.write(split, data)
    return open_source(writer.finish())


def counts(dataset):
    return dataset.report.per_class


def test_all(source):
    train = open_parts(source, BOTH, Classes())["train"]
    assert counts(train) == {"wasp": 3, "Bee": 2, "grey ant": 0}
    assert not train.report.notes or "class" not in train.report.notes[-1]


def test_only(source):
    for dataset in open_parts(source, BOTH, Classes(only=("Bee",))).values():
        assert dataset.class_names == ("Bee",) and counts(dataset) == {"Bee": 2}
        assert len(dataset) == 4 and dataset.report.empty_images == 2
        assert dataset.report.notes[-1] == (
            "3 boxes of other classes left out (wasp 3); 1 picture without objects for it"
        )
        assert [len(dataset.annotations(index)) for index in range(4)] == [1, 0, 1, 0]
        assert [len(dataset.areas(index)) for index in range(4)] == [1, 0, 1, 0]
    np.testing.assert_array_equal(dataset.annotations(0).boxes, [[3, 4, 20, 30]])
    assert dataset.image(0).shape == (40, 50, 3)


def test_order_is_the_datas(source):
    dataset = open_parts(source, {"val": "val"}, Classes(only=("grey ant", "wasp")))["val"]
    assert dataset.class_names == ("wasp", "grey ant")


def test_several_as_one(source):
    spellings = Spellings({"wasp": "insect", "Bee": "insect"})
    dataset = open_parts(source, {"train": "train"}, Classes(spellings=spellings))["train"]
    assert dataset.class_names == ("insect", "grey ant") and counts(dataset)["insect"] == 5
    assert "classes by another name: wasp is insect, Bee is insect" in dataset.report.notes
    again = pickle.loads(pickle.dumps(dataset))
    assert again.annotations(0).class_ids.tolist() == [0, 0]


def test_given_names_by_other_names(source):
    spellings = Spellings({"wasp": "yellow jacket", "Bee": "honey bee"})
    classes = Classes(("honey bee", "ant", "yellow jacket", "grey ant"), spellings=spellings)
    dataset = open_parts(source, {"train": "train"}, classes)["train"]
    assert dataset.class_names == classes.names
    assert counts(dataset) == {"honey bee": 2, "ant": 0, "yellow jacket": 3, "grey ant": 0}


@pytest.mark.parametrize(
    ("classes", "problem"),
    [
        (
            Classes(only=("bee",)),
            r"--only bee: there is no such class; did you mean Bee\? there is wasp, Bee, grey ant",
        ),
        (Classes(("wasp", "fly", "grey ant")), "Bee"),  # each reader raises the error
        (Classes(("insect", "fly"), spellings=Spellings({"wasp": "insect"})), "unknown class 'Bee'"),
        (
            Classes(spellings=Spellings({"fly": "x"})),
            "--class-map: fly = x: there is no class of either name",
        ),
    ],
)
def test_faults(source, classes, problem):
    if source.format in ("yolo", "record", "keras") and classes.names == ("wasp", "fly", "grey ant"):
        problem = "unknown class 'Bee'" if source.format != "record" else None
    if problem is None:  # records contain class ids only, so the given names count
        open_parts(source, {"train": "train"}, classes)
        return
    with refused(problem):
        open_parts(source, {"train": "train"}, classes)


def test_only_by_another_spelling(tmp_path):
    add_image(tmp_path / "a.png")
    add_file(tmp_path / "x.json", record(categories=("airplane", "couch", "bee")))
    classes = Classes(only=("aeroplane", "bee"), spellings=Spellings({"bee": "insect"}))
    dataset = open_parts(open_source(tmp_path), {"train": "x"}, classes)["train"]
    assert dataset.class_names == ("airplane", "insect") and len(dataset.annotations(0)) == 1
    assert "classes by another name: bee is insect, aeroplane is airplane" in dataset.report.notes
    with refused("--only chair: there is no such class; .*there is airplane, couch, bee"):
        open_parts(open_source(tmp_path), {"train": "x"}, Classes(only=("chair",)))


def test_crowds_and_areas_follow(tmp_path):
    add_image(tmp_path / "a.png")
    content = record(categories=("bee", "sofa"), area=77)
    box = content["annotations"][0]
    content["annotations"] += [
        {**box, "category_id": 6, "area": 55},
        {**box, "category_id": 6, "iscrowd": 1, "bbox": [0, 0, 9, 9]},
        {**box, "iscrowd": 1},
    ]
    add_file(tmp_path / "x.json", content)
    dataset = open_source(tmp_path).open("x")
    chosen = select(dataset, Classes(("cat", "couch"), only=("couch",)))
    assert (chosen.class_names, chosen.is_coco) == (("couch",), True)
    assert chosen.areas(0).tolist() == [55]
    assert chosen.crowds(0).boxes.tolist() == [[0, 0, 9, 9]]
    assert "classes by another name: sofa is couch" in chosen.report.notes
    assert select(dataset, Classes()) is dataset
