"""Schedule against GluonCV's schedulers as GluonCV's YOLOv3 script composes them."""

from __future__ import annotations

import json
import logging
import math

import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.training.lr_schedule import Schedule

# Each case: its meaning, then the settings of the schedule.
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
    """Compose GluonCV's schedulers with our settings."""
    from gluon_yolo import mxnet_compat

    utils = mxnet_compat.gluoncv().utils
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


def test_cosine_of_epochs_is_that_of_the_published_darknet53_training():
    # From the log of MindSpore's YOLOv3-DarkNet53: 320 epochs, T_max 320, 4 epochs of warm-up, 8 devices.
    logged = {318: 9.63797575082026e-08, 319: 2.409552052995423e-08}
    schedule = Schedule(0.001, 320, 320, mode="cosine", cosine_epochs=320, warmup_epochs=4)
    for epoch, rate in logged.items():
        steps = (320 * epoch, 320 * epoch + 319)  # it changes once an epoch
        assert [schedule(step) for step in steps] == pytest.approx([rate, rate], rel=1e-4)
    assert schedule(4 * 320) == pytest.approx(0.001 * (1 + math.cos(math.pi * 4 / 320)) / 2, rel=1e-12)


# Each case: settings of a schedule with base rate 1, and its rates computed by hand.
BY_HAND = {
    "a cosine of fewer epochs stays at its end": (
        dict(total_epochs=6, batches_per_epoch=1, mode="cosine", cosine_epochs=2, target_lr=0.2),
        [1, 0.6, 0.2, 0.2, 0.2, 0.2],
    ),
    "a cosine of more epochs is cut off": (
        dict(total_epochs=2, batches_per_epoch=2, mode="cosine", cosine_epochs=2),
        [1, 1, 0.5, 0.5],
    ),
    "exponential: a factor of a quarter an epoch of two steps, after the warm-up": (
        dict(total_epochs=4, batches_per_epoch=2, mode="exponential", decay=0.25, warmup_epochs=1),
        [0, 1, 1, 0.5, 0.25, 0.125, 0.0625, 0.03125],
    ),
    "constant": (
        dict(total_epochs=2, batches_per_epoch=2, mode="constant", decay_epochs=[1], decay=0.5),
        [1, 1, 1, 1],
    ),
    "darknet's warm-up, squared": (
        dict(total_epochs=2, batches_per_epoch=5, warmup_epochs=1, warmup_power=2),
        [0, 1 / 16, 4 / 16, 9 / 16, 1, 1, 1, 1, 1, 1],
    ),
    "a factor for each epoch, the first above 1": (
        dict(total_epochs=4, batches_per_epoch=1, decay=[10, 0.5, 0.1], decay_epochs=[1, 2, 3]),
        [1, 10, 5, 0.5],
    ),
    "parts of an epoch": (
        dict(total_epochs=2, batches_per_epoch=4, warmup_epochs=0.5, decay=0.5, decay_epochs=[1.25]),
        [0, 1, 1, 1, 1, 0.5, 0.5, 0.5],
    ),
}


@pytest.mark.parametrize("settings, rates", BY_HAND.values(), ids=BY_HAND.keys())
def test_rates_by_hand(settings, rates):
    schedule = Schedule(1.0, **settings)
    assert [schedule(step) for step in range(len(rates))] == pytest.approx(rates, abs=1e-12)
    assert Schedule(**json.loads(json.dumps(schedule.to_dict()))) == schedule


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
        dict(warmup_power=0),
        dict(cosine_epochs=-1),
        dict(decay=(0.1, 0)),
        dict(decay=(0.1, 0.1), decay_epochs=[1, 2, 3]),
        dict(decay=(0.1, 0.1), mode="exponential"),
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
        Schedule(0.1, 5, 3, mode="cosine", cosine_epochs=4)
        Schedule(0.1, 200, 3, mode="exponential")
    assert "no decay at epoch 12" in caplog.text
    assert "the warm-up of 4 epochs is not over before the training of 2 epochs ends" in caplog.text
    assert "the cosine ends at epoch 4 of 5; from there it stays at 0" in caplog.text
    assert "a factor of 0.1 an epoch leaves 2.2e-200 of it after 200 epochs" in caplog.text


def test_no_warning_where_decay_epochs_play_no_part(caplog):
    with caplog.at_level(logging.WARNING, logger="gluon_yolo"):
        Schedule(0.1, 10, 3, mode="cosine", decay_epochs=[160, 180])
        Schedule(0.1, 10, 3, mode="cosine", cosine_epochs=10)
        Schedule(0.1, 200, 3, mode="exponential", decay=0.98)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("mode", "epoch", "said"),
    [
        ("cosine", 9, "2.09e-05 to 0"),  # (1 + cos(108 / 119 pi)) / 2 at the first step, 0 at the last
        ("cosine", 4, "0.000493"),
        ("constant", 9, "0.001"),
        ("step", 9, "1e-05"),
    ],
)
def test_what_people_see_of_an_epochs_rate(mode, epoch, said):
    schedule = Schedule(0.001, 10, 12, mode=mode, decay=0.1, decay_epochs=(2, 5))
    assert schedule.shown(epoch) == said
