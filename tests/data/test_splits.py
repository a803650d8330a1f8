"""The roles of splits, by their names."""

from __future__ import annotations

import pytest

from gluon_yolo.data.splits import in_no_part, pattern_of, split_role, splits_by_role


@pytest.mark.parametrize(
    ("split", "part"),
    [
        ("train", "train"),
        ("my_Train2017", "train"),
        ("2007_trainval", "trainval"),
        ("valid", "val"),
        ("test-dev2017", "test"),
        ("retrained", ""),
        ("interval", ""),
        ("latest", ""),
        ("default", ""),
    ],
)
def test_part_of(split, part):
    assert split_role(split) == part


@pytest.mark.parametrize(
    ("splits", "parts"),
    [
        ("train", {"train": "train"}),
        ("val", {"train": "val"}),  # a single split is for training
        ("mine", {"train": "mine"}),
        ("train val", {"train": "train", "val": "val"}),
        ("train val test", {"train": "train", "val": "val", "test": "test"}),
        ("train validation test", {"train": "train", "val": "validation", "test": "test"}),
        ("train test", {"train": "train", "val": "test"}),
        ("train2017 val2017", {"train": "train2017", "val": "val2017"}),
        ("bccd_train bccd_val", {"train": "bccd_train", "val": "bccd_val"}),
        ("trainval test", {"train": "trainval", "val": "test"}),
        ("train val trainval test", {"train": "trainval", "val": "test"}),
        ("train val trainval", {"train": "train", "val": "val"}),
        ("trainval val", {"train": "trainval"}),  # val is contained in trainval
        ("val test", {"val": "val", "test": "test"}),
        ("all train val", {"train": "train", "val": "val"}),
        ("mine val", {"train": "mine", "val": "val"}),
        ("train my_train val", {"train": "train", "val": "val"}),  # darknet's lists of years, and their union
    ],
)
@pytest.mark.parametrize("joins", [True, False])
def test_parts_of(splits, parts, joins):
    assert splits_by_role(splits.split(), joins) == parts


@pytest.mark.parametrize(
    ("splits", "joined", "single"),
    [
        ("b a", {"train": "a,b"}, {}),
        ("a b val", {"train": "a,b", "val": "val"}, {"val": "val"}),
        (
            "train2017 train2014 val",
            {"train": "train2014,train2017", "val": "val"},
            {"train": "train2017", "val": "val"},
        ),
    ],
)
def test_several_for_one_part(splits, joined, single):
    assert splits_by_role(splits.split(), joins=True) == joined
    assert splits_by_role(splits.split(), joins=False) == single


@pytest.mark.parametrize(
    ("splits", "others"),
    [
        ("train val test", ""),
        ("train train_extra val", "train_extra"),
        ("train val valid", "valid"),
        ("train val validation", "validation"),
        ("train2014 train2017 val2017", "train2014"),
        ("mini_val2017 tiny_val2017", "mini_val2017"),
        ("train val trainval", ""),  # the union of the other two
        ("train val trainval test", ""),
        ("all train val", ""),
        ("train val notes", "notes"),
    ],
)
def test_in_no_part(splits, others):
    splits = splits.split()
    assert in_no_part(splits, splits_by_role(splits, joins=False)) == others.split()


def test_joined_splits_are_in_a_part():
    splits = ["train2014", "train2017", "val"]
    assert in_no_part(splits, splits_by_role(splits, joins=True)) == []


@pytest.mark.parametrize(
    ("split", "pattern"),
    [
        ("train", "*"),
        ("valid", "*"),
        ("validation", "*"),
        ("val2017", "*2017"),
        ("My_Test", "my_*"),
        ("a", ""),
    ],
)
def test_pattern_of(split, pattern):
    assert pattern_of(split) == pattern
