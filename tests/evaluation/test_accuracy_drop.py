"""AccuracyDrop: the loss of a network against a reference, by annotations or by its detections."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.data.subset import Subset
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError
from gluon_yolo.evaluation.accuracy_drop import AccuracyDrop, found_by
from gluon_yolo.exporters.quantize.quantized import Quantized, Row
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.spec import DetectionSpec
from tests.evaluation.test_evaluate import SIZE_HW, Squares, find_the_bright_part

pytest.importorskip("pycocotools")

SPEC = DetectionSpec(("circle", "square"))  # the data's classes in another order
SQUARE = SPEC.class_names.index("square")


def network(class_id: int, shift: float = 0.0, score: float = 0.9):
    """Return a network that detects the bright part of each image as some class, with a shift."""

    def see(pixels):
        boxes = np.stack([one.boxes for one in find_the_bright_part(pixels)]) + np.float32(shift)
        scores = np.zeros((len(pixels), 1, SPEC.num_classes), np.float32)
        scores[:, 0, class_id] = score
        return boxes, scores

    return see


@pytest.mark.parametrize(
    ("class_id", "shift", "expected"),
    [
        (SQUARE, 0, 0.0),
        (SQUARE, 100, 100.0),  # next to the squares
        (1 - SQUARE, 0, 100.0),  # all as circles
    ],
)
@pytest.mark.parametrize("mode", ["resize", "letterbox"])
def test_lost(class_id, shift, expected, mode):
    accuracy_drop = AccuracyDrop(network(SQUARE), Squares(6), SPEC, SIZE_HW, Preprocess(mode))
    assert accuracy_drop.lost(accuracy_drop(network(class_id, shift))) == pytest.approx(expected)


def test_which_numbers_decide():
    """An imprecise box counts fully at an IoU of 0.5, and less for COCO, whose IoUs go up to 0.95."""
    off = network(SQUARE, 2.0)
    accuracy_drop = AccuracyDrop(network(SQUARE), Squares(6), SPEC, SIZE_HW, Preprocess())
    numbers = accuracy_drop(off)
    assert accuracy_drop.keys == ("VOC07_mAP50", "AP") and numbers["VOC07_mAP50"] == 1
    lost = 100 * (accuracy_drop.baseline["AP"] - numbers["AP"])
    assert accuracy_drop.lost(numbers) == pytest.approx(lost) and 5 < lost < 80
    worse = {**numbers, "VOC07_mAP50": 0.1}
    assert accuracy_drop.lost(worse) == pytest.approx(90)
    accuracy_drop = AccuracyDrop(network(SQUARE), Squares(6), SPEC, SIZE_HW, Preprocess(), coco=True)
    assert accuracy_drop.keys == ("AP",) and accuracy_drop.lost(worse) < 80
    better = AccuracyDrop(off, Squares(6), SPEC, SIZE_HW, Preprocess(), coco=True)
    assert better.lost(better(network(SQUARE))) < -5


def test_as_many_detections_as_are_asked_for():
    """The network detects two places, the wrong one first."""

    def twice(pixels):
        boxes, scores = network(SQUARE)(pixels)
        return np.concatenate([boxes + 90, boxes], axis=1), np.concatenate([scores, scores * 0.9], axis=1)

    for most, expected in ((1, 0.0), (2, 0.5)):
        accuracy_drop = AccuracyDrop(twice, Squares(6), SPEC, SIZE_HW, Preprocess(), max_detections=most)
        assert accuracy_drop.baseline["VOC_mAP50"] == pytest.approx(expected)


def test_agreement_with_what_was_found():
    predictor = Predictor(network(SQUARE, 100), SPEC, SIZE_HW)
    found = found_by(predictor, Squares(6))
    accuracy_drop = AccuracyDrop(network(SQUARE, 100), found, SPEC, SIZE_HW, Preprocess(), agreement=True)
    assert accuracy_drop.keys == ("VOC_mAP50",) and accuracy_drop.baseline["VOC_mAP50"] == 1
    assert accuracy_drop.lost(accuracy_drop(network(SQUARE))) == pytest.approx(100)


def test_nothing_to_go_by():
    with pytest.raises(UserError, match="squares: the model in float finds nothing from a score of 0.3 on"):
        found_by(Predictor(network(SQUARE, score=0.2), SPEC, SIZE_HW), Squares(3))
    empty = Subset(Squares(3), range(3), [Detections.empty()] * 3)
    with pytest.raises(UserError, match="squares: none of its 3 pictures has an object"):
        AccuracyDrop(network(SQUARE), empty, SPEC, SIZE_HW, Preprocess())
    with pytest.raises(UserError, match="does not know square"):
        AccuracyDrop(network(SQUARE), Squares(3), DetectionSpec(("circle",)), SIZE_HW, Preprocess())


@pytest.mark.parametrize("coco", [False, True])
def test_without_pycocotools_vocs_number_decides(monkeypatch, caplog, coco):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pycocotools" else find(name)
    )
    with caplog.at_level(logging.WARNING, "gluon_yolo"):
        accuracy_drop = AccuracyDrop(network(SQUARE), Squares(6), SPEC, SIZE_HW, Preprocess(), coco=coco)
    assert accuracy_drop.keys == ("VOC07_mAP50",) and "AP" not in accuracy_drop.baseline
    assert accuracy_drop.lost(accuracy_drop(network(1 - SQUARE))) == pytest.approx(100)
    assert "COCO's AP is left out, since it needs pycocotools (pip install pycocotools)" in caplog.text
    rows = (Row("symbol", "mxnet", "float32", "", accuracy_drop.baseline, 1),)
    about = {"pictures": {"scoring": 6}, "seconds": 1}
    shown = str(Quantized(Path("out"), rows, accuracy_drop.keys, about))
    assert "VOC07 mAP50" in shown and "COCO" not in shown
