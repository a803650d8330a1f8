"""Validation: the largest number of detections per image, and the message about images with more objects."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.detections import Detections
from gluon_yolo.evaluation import validation
from gluon_yolo.evaluation.validation import Validation
from gluon_yolo.evaluation.voc_ap import VOCMetric
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.spec import DetectionSpec
from tests.evaluation.test_evaluate import Squares
from tests.printed import printed
from tests.random_model import random_detector

SIZE_HW = (160, 160)
OBJECTS = 144


def grid() -> np.ndarray:
    """Return the boxes of 12 by 12 objects on an image of 160x160."""
    corner = np.stack(np.meshgrid(np.arange(12) * 13, np.arange(12) * 13), -1).reshape(-1, 2)
    return np.concatenate([corner, corner + 10], axis=1).astype(np.float32)


class Crowd(Squares):
    """Three grey images, of which the second is full of squares."""

    def __init__(self) -> None:
        super().__init__(3)
        self.report = DatasetReport("crowd", boxes=OBJECTS + 2)

    def size_hw(self, index: int) -> tuple[int, int]:
        return SIZE_HW

    def annotations(self, index: int) -> Detections:
        boxes = grid() if index == 1 else grid()[:1]
        return Detections(boxes, np.zeros(len(boxes)))

    def image(self, index: int, reduction: int = 1) -> np.ndarray:
        return np.full((*SIZE_HW, 3), index, np.uint8)


def seeing(net: object, size_hw: tuple[int, int], gpu: int | None = None, **options: object) -> Predictor:
    """Return a predictor that detects all objects."""

    def network(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores = np.tile(np.linspace(0.9, 0.5, OBJECTS, dtype=np.float32)[:, None], (len(pixels), 1, 1))
        scores[pixels[:, 0, 0, 0] != 1, 1:] = 0
        return np.tile(grid(), (len(pixels), 1, 1)), scores

    return Predictor(network, DetectionSpec(("square",)), size_hw, **options)


@pytest.mark.parametrize(
    ("most", "expected", "said"),
    [
        ({}, 102 / 146, "crowd: 1 picture of 3 with more than 100 objects, up to 144, of which validation"),
        ({"max_detections": 200}, 1.0, ""),
    ],
)
def test_as_many_objects_as_are_asked_for(most, expected, said, monkeypatch):
    monkeypatch.setattr(validation.Predictor, "from_block", seeing)
    validate = Validation(Crowd(), [VOCMetric(("square", "circle"))], "VOC_mAP50", SIZE_HW, **most)
    numbers, _ = validate(random_detector())
    assert numbers["per_class"]["square"]["AP"] == pytest.approx(expected)
    assert printed(validate.crowded()).startswith(said) and bool(validate.crowded()) == bool(said)
