"""MetricLogger: mean losses that continue those of an interrupted epoch."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gluon_yolo.training.metric_logger import MetricLogger

NAMES = ("objectness", "centre", "scale", "class")
BATCHES = np.arange(20, dtype=np.float32).reshape(5, len(NAMES)) / 7


def test_an_interrupted_epoch_has_the_means_of_a_whole_one():
    whole, first = MetricLogger(NAMES, 5), MetricLogger(NAMES, 5)
    for losses in BATCHES:
        whole.add(losses, 4)
    for losses in BATCHES[:3]:
        first.add(losses, 4)
    second = MetricLogger(NAMES, 5, first.done, tuple(first.sums))
    for losses in BATCHES[3:]:
        second.add(losses, 4)
    assert second.means.tolist() == whole.means.tolist()
    np.testing.assert_allclose(whole.means, BATCHES.mean(axis=0), rtol=1e-6)
    assert (whole.done, whole.minutes_left) == (5, 0)


def test_it_tells():
    now = [50.0]
    metric_logger = MetricLogger(NAMES, 4, clock=lambda: now[0])
    assert math.isnan(metric_logger.minutes_left) and np.isnan(metric_logger.means).all()
    metric_logger.add(np.array([1.0, 2.0, 3.0, 4.0]), 8)
    now[0] += 30
    assert str(metric_logger) == (
        "loss 10.000 (objectness 1.000, centre 2.000, scale 3.000, class 4.000)  0.3 pictures/s, 30 s"
    )
    assert metric_logger.short().startswith("loss 10.00 (1.00 2.00 3.00 4.00) ")
    assert metric_logger.row().keys() == {*NAMES, "total", "seconds", "pictures_per_second"}
    assert metric_logger.row()["total"] == 10
    assert metric_logger.minutes_left == 1.5 and metric_logger.is_timed


def test_an_epoch_that_was_whole_before_needs_no_batch():
    metric_logger = MetricLogger(NAMES, 2, 2, (2.0, 4.0, 6.0, 8.0))
    assert metric_logger.means.tolist() == [1, 2, 3, 4]
    assert metric_logger.images_per_second == 0
    assert str(metric_logger) == (
        "loss 10.000 (objectness 1.000, centre 2.000, scale 3.000, class 4.000)  "
        "trained before the run was stopped"
    )
    assert (
        not metric_logger.is_timed
        and metric_logger.row()["seconds"] is metric_logger.row()["pictures_per_second"] is None
    )


def test_the_names_are_the_losses_own():
    metric_logger = MetricLogger(("objectness", "box", "class"), 1)
    metric_logger.add(np.array([1.0, 2.0, 3.0]), 8)
    assert str(metric_logger).startswith("loss 6.000 (objectness 1.000, box 2.000, class 3.000)  ")
    assert list(metric_logger.row())[:4] == ["objectness", "box", "class", "total"]


def test_sums_of_other_losses():
    with pytest.raises(ValueError, match="sums: expected 3 .objectness, box, class., got 4"):
        MetricLogger(("objectness", "box", "class"), 2, 1, (1.0, 2.0, 3.0, 4.0))
