"""Pace: the estimated remaining time, with a clock that the test controls."""

from __future__ import annotations

import math

import pytest

from gluon_yolo.training.pace import BATCH, END, VALIDATION, Pace


@pytest.fixture
def clock():
    class Clock:
        now = 7.0

        def __call__(self) -> float:
            return self.now

    return Clock()


def test_before_the_first_batch_nothing_is_known(clock):
    pace = Pace(20, 30, 1, 6, clock)
    clock.now += 100
    assert math.isnan(pace.training_left(0, 0))


def test_batches_validations_and_ends_that_are_still_to_come(clock):
    clock.now += 1000  # reading the data does not count as a batch
    pace = Pace(batches=20, epochs=10, val_interval=4, val_batches=6, clock=clock)
    for _ in range(5):
        clock.now += 2
        pace.spent(BATCH)
    # Validated epochs: 3, 7 and 9, the last; each takes a third of the time of six batches.
    assert [epoch for epoch in range(10) if pace.is_validated(epoch)] == [3, 7, 9]
    assert pace.training_left(0, 5) == pytest.approx(195 * 2 + 3 * 6 * 2 / 3)
    clock.now += 11
    pace.spent(VALIDATION)
    clock.now += 3
    pace.spent(END)
    assert pace.training_left(8, 5) == pytest.approx(35 * 2 + 11 + 2 * 3)
    assert pace.training_left(9, 20) == pytest.approx(11 + 3)
    for _ in range(5):
        clock.now += 4
        pace.spent(BATCH)
    assert pace.training_left(8, 5) == pytest.approx(35 * 3 + 11 + 2 * 3)
