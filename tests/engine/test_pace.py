"""Pace and Account: what is left of an epoch and of a training, and what is said of it."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from gluon_yolo.engine.account import Account
from gluon_yolo.engine.pace import Pace, duration
from gluon_yolo.engine.progress import Progress
from gluon_yolo.engine.tally import Tally


@pytest.mark.parametrize(
    "seconds, text",
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1.0 min"), (450, "7.5 min"), (599, "10 min"), (5400, "90 min")]
    + [(6000, "1 h 40 min"), (12_000, "3 h 20 min"), (187_200, "2 d 4 h"), (math.nan, "?"), (math.inf, "?")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_what_is_left():
    """Ten epochs of four batches, 2 s each but for the first; every third is validated, and the last."""
    pace = Pace(batches=4, epochs=10, val_interval=3)
    assert [epoch for epoch in range(10) if pace.is_validated(epoch)] == [2, 5, 8, 9]
    assert math.isnan(pace.epoch_left(0)) and pace.left(0, 0) == "the first batch is under way"
    pace.add_batch(30)
    assert pace.epoch_left(1) == 90  # all that is known
    for _ in range(3):
        pace.add_batch(2)
    assert (pace.epoch_left(1), pace.training_left(0, 4)) == (6, 72)
    pace.add_end(1, validated=False)
    assert pace.training_left(1, 2) == 2 * 2 + 8 * 8 + 5 * 1  # epochs 1, 3, 4, 6 and 7 end without
    assert pace.left(1, 2) == "4 s left in this epoch, 1.2 min of the training, without validations"
    pace.add_end(60, validated=True)
    assert pace.training_left(3, 0) == 7 * 8 + 4 * 1 + 3 * 60
    assert pace.left(9, 4) == "0 s left in this epoch, 1.0 min of the training"


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_what_is_under_way():
    clock, validation = Clock(), SimpleNamespace(done=None, dataset=range(500))
    account = Account(Pace(20, 2), validation, lambda: 0.001, clock)
    tally = Tally(("box", "class"), 20, clock=clock)
    account.begin_epoch(0, tally)
    assert account.under_way() == "epoch 0 batch 0/20  the first batch is under way"
    clock.now += 10
    tally.add(np.array([1.0, 2.0]), 64)
    account.pace.add_batch(10)
    assert account.under_way() == (
        "epoch 0 batch 1/20  lr 0.001  loss 3.000 (box 1.000, class 2.000)  6.4 pictures/s, 10 s, "
        "3.2 min left in this epoch, 6.5 min of the training, without validations"
    )
    for _ in range(19):
        tally.add(np.array([1.0, 2.0]), 64)
        account.pace.add_batch(2)
    account.begin_end()
    assert account.under_way() == "epoch 0  what follows its batches is under way"
    validation.done = 0
    assert account.under_way() == "epoch 0  validation: 0 of 500 pictures"
    clock.now += 60
    validation.done = 100
    assert account.under_way() == (
        "epoch 0  validation: 100 of 500 pictures, 4.0 min left in it, 4.7 min of the training"
    )
    validation.done = 500
    assert account.under_way() == "epoch 0  validation: 500 of 500 pictures, counting"


def test_a_validation_is_told_with_the_number_that_decides_first(caplog):
    account = Account(Pace(1, 1), SimpleNamespace(done=None), lambda: 0.1, Clock())
    account.begin_epoch(4, Tally(("box",), 1))
    progress = Progress("net", ("a",), 0, best_score=0.5, best_epoch=2)
    numbers = {"VOC07_mAP50": 0.6, "AP": 0.3, "AP50": 0.61, "fitness": 0.331, "pictures": 7}
    with caplog.at_level("INFO", "gluon_yolo"):
        account.validated(numbers, "VOC07_mAP50", progress)
        account.validated({"VOC07_mAP50": 0.6}, "VOC07_mAP50", progress)
    assert caplog.messages == [
        "epoch 4  VOC07_mAP50 0.6000  fitness 0.3310  AP 0.3000  AP50 0.6100  (best 0.5000 at epoch 2)",
        "epoch 4  VOC07_mAP50 0.6000  (best 0.5000 at epoch 2)",
    ]
