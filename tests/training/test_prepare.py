"""The validation of a run also finds the score threshold with the best F1, which the run's record keeps."""

from __future__ import annotations

import functools

import pytest

from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.prepare import validation_of
from tests.evaluation.test_validation import SIZE_HW, Crowd, seeing


@pytest.mark.parametrize(
    ("most", "threshold", "best_f1"),
    [
        # All of 146 objects are found; the scores of the 144 in one image go from 0.9 down to 0.5.
        (200, (0.5 + 0.01) / 2, 1),
        # The limit leaves the best 100 of them: 102 are found.
        (100, (0.9 - 0.4 * 99 / 143 + 0.01) / 2, 2 * 102 / (102 + 146)),
    ],
)
def test_a_validation_finds_the_best_threshold(most: int, threshold: float, best_f1: float) -> None:
    dataset = Crowd()
    dataset.class_names = ("square",)
    validation = validation_of(
        dataset, TrainConfig(data_shape=SIZE_HW, val_metric="voc", max_detections=most, num_workers=1)
    )
    numbers, _ = validation.measure(functools.partial(seeing, None))
    assert numbers is not None
    assert numbers["best_F1"] == pytest.approx(best_f1)
    assert numbers["best_threshold"] == pytest.approx(threshold, abs=1e-6)
