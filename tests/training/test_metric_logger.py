"""Tally: means that go on where an interrupted epoch had come to."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gluon_yolo.training.metric_logger import Tally

NAMES = ("objectness", "centre", "scale", "class")
BATCHES = np.arange(20, dtype=np.float32).reshape(5, len(NAMES)) / 7


def test_an_interrupted_epoch_has_the_means_of_a_whole_one():
    whole, first = Tally(NAMES, 5), Tally(NAMES, 5)
    for losses in BATCHES:
        whole.add(losses, 4)
    for losses in BATCHES[:3]:
        first.add(losses, 4)
    second = Tally(NAMES, 5, first.done, tuple(first.sums))
    for losses in BATCHES[3:]:
        second.add(losses, 4)
    assert second.means.tolist() == whole.means.tolist()
    np.testing.assert_allclose(whole.means, BATCHES.mean(axis=0), rtol=1e-6)
    assert (whole.done, whole.minutes_left) == (5, 0)


def test_it_tells():
    now = [50.0]
    tally = Tally(NAMES, 4, clock=lambda: now[0])
    assert math.isnan(tally.minutes_left) and np.isnan(tally.means).all()
    tally.add(np.array([1.0, 2.0, 3.0, 4.0]), 8)
    now[0] += 30
    assert str(tally) == (
        "loss 10.000 (objectness 1.000, centre 2.000, scale 3.000, class 4.000)  0.3 pictures/s, 30 s"
    )
    assert tally.short().startswith("loss 10.00 (1.00 2.00 3.00 4.00) ")
    assert tally.row().keys() == {*NAMES, "total", "seconds", "pictures_per_second"}
    assert tally.row()["total"] == 10
    assert tally.minutes_left == 1.5 and tally.is_timed


def test_an_epoch_that_was_whole_before_needs_no_batch():
    tally = Tally(NAMES, 2, 2, (2.0, 4.0, 6.0, 8.0))
    assert tally.means.tolist() == [1, 2, 3, 4]
    assert tally.pictures_per_second == 0
    assert str(tally) == (
        "loss 10.000 (objectness 1.000, centre 2.000, scale 3.000, class 4.000)  "
        "trained before the run was stopped"
    )
    assert not tally.is_timed and tally.row()["seconds"] is tally.row()["pictures_per_second"] is None


def test_the_names_are_the_losses_own():
    tally = Tally(("objectness", "box", "class"), 1)
    tally.add(np.array([1.0, 2.0, 3.0]), 8)
    assert str(tally).startswith("loss 6.000 (objectness 1.000, box 2.000, class 3.000)  ")
    assert list(tally.row())[:4] == ["objectness", "box", "class", "total"]


def test_sums_of_other_losses():
    with pytest.raises(ValueError, match="sums: expected 3 .objectness, box, class., got 4"):
        Tally(("objectness", "box", "class"), 2, 1, (1.0, 2.0, 3.0, 4.0))
