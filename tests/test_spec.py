"""DetectionSpec: what it derives, refuses, and carries through JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gluon_yolo.spec import DEFAULT_ANCHORS, BackboneForm, DetectionSpec


def test_what_it_derives():
    spec = DetectionSpec(["cat", "dog"], [[[10, 20]], [[30, 40], [50, 60]]], [16, 32])
    assert (spec.num_classes, spec.num_levels, spec.anchors_per_level, spec.max_stride) == (2, 2, (1, 2), 32)
    assert spec.class_names == ("cat", "dog")
    np.testing.assert_array_equal(spec.flat_anchors, [[10, 20], [30, 40], [50, 60]])
    assert spec.flat_anchors.dtype == np.float32


def test_yolov3_is_what_nothing_said_means():
    spec = DetectionSpec(("cat",))
    assert (spec.anchors, spec.strides) == (DEFAULT_ANCHORS, (8, 16, 32))
    assert (spec.box_coding, spec.score_rule, spec.ignore_iou) == ("yolo3", "objectness_times_class", 0.7)
    assert spec.xy_scales == (1, 1, 1)


@pytest.mark.parametrize(
    "spec",
    [
        DetectionSpec(("cat",)),
        DetectionSpec(
            ("Pferd", "Кот", "猫"),
            (((10.5, 13.25),), ((99, 1),)),
            (4, 64),
            ignore_iou=0.5,
            xy_scales=(1, 1.05),
        ),
    ],
)
def test_json_and_back(spec):
    assert DetectionSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


ONE_LEVEL = {"anchors": [[[10, 10]]], "strides": [8]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_names": []}, "class_names: expected distinct names"),
        ({"class_names": ["cat", "dog", "cat"]}, "class_names: expected distinct names"),
        ({"class_names": "cat"}, "class_names: expected a sequence of names, got the string 'cat'"),
        ({"anchors": DEFAULT_ANCHORS[:2]}, r"anchors: expected 3 levels \(one per stride\), got 2"),
        ({"strides": [8, 16]}, "anchors: expected 2 levels"),
        ({"strides": [8, 32, 16]}, "strides: expected ascending"),
        ({"strides": [8, 8, 16]}, "strides: expected ascending"),
        ({"strides": [0, 8, 16]}, "strides: expected ascending, from 1 up"),
        ({"anchors": [], "strides": []}, "strides: expected ascending"),
        ({**ONE_LEVEL, "anchors": [[]]}, "anchors: expected at least one per level"),
        ({**ONE_LEVEL, "anchors": [[[10, 0]]]}, "anchors: expected at least one per level, all positive"),
        ({**ONE_LEVEL, "anchors": [[[float("nan"), 10]]]}, "all positive"),
        ({"ignore_iou": 0}, r"ignore_iou: expected within \(0, 1\], got 0"),
        ({"ignore_iou": 1.01}, "ignore_iou"),
        ({"xy_scales": (1, 1.1)}, "xy_scales: expected 3 numbers from 1 up"),
        ({"xy_scales": (1, 1.1, 0.9)}, "xy_scales: expected 3 numbers from 1 up"),
    ],
)
def test_a_wrong_record_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        DetectionSpec(**{"class_names": ["cat"], **changes})


def test_an_architectures_own_backbone_is_not_in_the_record():
    """Versions from before the field read such records; a record without it is of the own backbone."""
    assert "backbone" not in DetectionSpec(("cat",)).to_dict()
    other = DetectionSpec(("cat",), backbone=BackboneForm("relu6", (0.5, 0.5, 0.5), (1, 1, 1), 8))
    record = json.loads(json.dumps(other.to_dict()))
    assert record["backbone"] == {"activation": "relu6", "mean": [0.5] * 3, "std": [1.0] * 3, "divisor": 8}
    assert DetectionSpec.from_dict(record) == other
    del record["backbone"]
    assert DetectionSpec.from_dict(record) == DetectionSpec(("cat",))
    assert str(other.backbone) == "relu6, mean 0.5 0.5 0.5, std 1 1 1, widths in multiples of 8"
    assert str(BackboneForm()) == ""


@pytest.mark.parametrize(
    "values",
    [
        {"mean": (0.5,), "std": (0.5,)},
        {"mean": (0.5, 0.5, 0.5)},
        {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0, 0.5)},
        {"mean": (0.5, 0.5, 0.5), "std": (0.5, float("nan"), 0.5)},
        {"divisor": -8},
    ],
)
def test_forms_that_no_backbone_has(values):
    with pytest.raises(ValueError, match="backbone: expected"):
        BackboneForm(**values)
