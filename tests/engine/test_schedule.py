"""Schedule against GluonCV's schedulers, composed as its YOLOv3 script composes them."""

from __future__ import annotations

import logging

import pytest

from gluon_yolo.engine.schedule import Schedule
from gluon_yolo.errors import UserError

# Each case: what it stands for, then the schedule's settings.
CASES = {
    "voc command, warm-up and two decays": dict(
        base_lr=0.001, total_epochs=20, batches_per_epoch=7, decay_epochs=[16, 18], warmup_epochs=4
    ),
    "coco command, no mode-specific extras": dict(
        base_lr=0.001, total_epochs=28, batches_per_epoch=5, decay_epochs=[22, 25], warmup_epochs=2
    ),
    "no warm-up": dict(base_lr=0.01, total_epochs=6, batches_per_epoch=4, decay_epochs=[3, 5], decay=0.5),
    "decay inside the warm-up counts at its end": dict(
        base_lr=0.01, total_epochs=6, batches_per_epoch=4, decay_epochs=[1, 5], warmup_epochs=2
    ),
    "warm-up from above zero": dict(
        base_lr=0.01, total_epochs=6, batches_per_epoch=4, decay_epochs=[4], warmup_epochs=2, warmup_lr=0.002
    ),
    "cosine": dict(base_lr=0.02, total_epochs=9, batches_per_epoch=3, mode="cosine", warmup_epochs=2),
    "cosine to a floor": dict(
        base_lr=0.02, total_epochs=9, batches_per_epoch=3, mode="cosine", target_lr=0.001
    ),
    "poly": dict(base_lr=0.02, total_epochs=9, batches_per_epoch=3, mode="poly", warmup_epochs=1),
    "poly, cubic": dict(base_lr=0.02, total_epochs=9, batches_per_epoch=3, mode="poly", power=3),
    "decay every third epoch": dict(
        base_lr=0.02, total_epochs=10, batches_per_epoch=3, decay_epochs=[5], decay_period=3, warmup_epochs=1
    ),
    "warm-up longer than the training": dict(
        base_lr=0.02, total_epochs=1, batches_per_epoch=6, decay_epochs=[5], warmup_epochs=4
    ),
}


def gluoncv_schedule(
    base_lr, total_epochs, batches_per_epoch, mode="step", decay=0.1, decay_epochs=(), decay_period=0,
    warmup_epochs=0, warmup_lr=0.0, target_lr=0.0, power=2,
):  # fmt: skip
    """Compose GluonCV's schedulers for our settings."""
    from gluon_yolo import compat

    utils = compat.gluoncv().utils
    if decay_period > 0:
        decay_epochs = range(decay_period, total_epochs, decay_period)
    warmup = utils.LRScheduler(
        "linear",
        base_lr=warmup_lr,
        target_lr=base_lr,
        nepochs=warmup_epochs,
        iters_per_epoch=batches_per_epoch,
    )
    rest = utils.LRScheduler(
        mode,
        base_lr=base_lr,
        target_lr=target_lr,
        nepochs=total_epochs - warmup_epochs,
        iters_per_epoch=batches_per_epoch,
        step_epoch=[epoch - warmup_epochs for epoch in decay_epochs],
        step_factor=decay,
        power=power,
    )
    return utils.LRSequential([warmup, rest])


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES.keys())
def test_equals_gluoncv_at_every_step(settings):
    ours, theirs = Schedule(**settings), gluoncv_schedule(**settings)
    steps = range(settings["total_epochs"] * settings["batches_per_epoch"] + 5)
    assert [ours(step) for step in steps] == pytest.approx(
        [theirs(step) for step in steps], rel=1e-12, abs=1e-18
    )


def test_by_hand():
    schedule = Schedule(1.0, 5, 3, decay_epochs=[3, 4], warmup_epochs=1)
    expected = [0, 0.5, 1, 1, 1, 1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01]
    assert [schedule(step) for step in range(15)] == pytest.approx(expected)


def test_a_stretch_of_one_step_divides_by_nothing():
    assert Schedule(0.1, 2, 1, warmup_epochs=1, warmup_lr=0.01)(0) == pytest.approx(0.01)
    assert Schedule(0.1, 1, 1, mode="cosine")(0) == pytest.approx(0.1)


def test_to_dict_rebuilds_it():
    schedule = Schedule(0.1, 10, 3, decay_period=4, warmup_epochs=1)
    assert Schedule(**schedule.to_dict()) == schedule


@pytest.mark.parametrize(
    "wrong",
    [
        dict(base_lr=-0.1),
        dict(base_lr=0.0),
        dict(base_lr=float("nan")),
        dict(total_epochs=0),
        dict(batches_per_epoch=0),
        dict(mode="linear"),
        dict(decay=0),
        dict(decay=1.5),
        dict(decay_epochs=[-1]),
        dict(decay_period=-2),
        dict(warmup_epochs=-1),
        dict(warmup_lr=-0.1),
        dict(target_lr=-0.1),
        dict(power=0),
    ],
    ids=str,
)
def test_nonsense_is_named(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        Schedule(**{**dict(base_lr=0.1, total_epochs=10, batches_per_epoch=3), **wrong})


def test_doubtful_settings_are_warned_of(caplog):
    with caplog.at_level(logging.WARNING, logger="gluon_yolo"):
        Schedule(0.1, 10, 3, decay_epochs=[8, 12])
        Schedule(0.1, 2, 3, warmup_epochs=4)
    assert "no decay at epoch 12" in caplog.text
    assert "4 epochs of warm-up fill all 2" in caplog.text


def test_no_warning_where_decay_epochs_play_no_part(caplog):
    with caplog.at_level(logging.WARNING, logger="gluon_yolo"):
        Schedule(0.1, 10, 3, mode="cosine", decay_epochs=[160, 180])
    assert caplog.text == ""
