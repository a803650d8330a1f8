"""TrainSettings: what is refused, and what follows from the values."""

from __future__ import annotations

import math

import pytest

from gluon_yolo.engine.settings import TrainSettings
from gluon_yolo.errors import UserError


def settings(**values) -> TrainSettings:
    return TrainSettings("yolo3_mobilenet0.25_custom", **values)


@pytest.mark.parametrize(
    "values, said",
    [
        (dict(epochs=0), "--epochs 0: must be 1 or more"),
        (dict(batch_size=0), "--batch-size 0: must be 1 or more"),
        (dict(lr=0.0), "--lr 0.0: must be above 0"),
        (dict(lr=math.nan), "--lr nan: must be above 0"),
        (dict(lr=math.inf), "--lr inf: must be above 0"),
        (dict(momentum=math.nan), "--momentum nan: must be 0 or more"),
        (dict(momentum=9.0), "--momentum 9.0: must be below 1"),
        (dict(wd=-0.1), "--wd -0.1: must be 0 or more"),
        (dict(lr_decay=10.0), "--lr-decay 10.0: must be above 0 and at most 1"),
        (dict(warmup_epochs=-1), "--warmup-epochs -1: must be 0 or more"),
        (dict(num_samples=-2), "--num-samples -2: must be -1 or more"),
        (dict(seed=-1), "--seed -1: must be 0 or more"),
        (dict(epochs=3, start_epoch=3), "--start-epoch 3: training ends with epoch 2"),
        (dict(data_shape=(320, 330)), "--data-shape 320x330: both sides must be multiples of 32"),
        (dict(data_shape=(0, 32)), "--data-shape 0x32: both sides must be multiples of 32"),
        (dict(random_shapes=((64, 64), (64, 70))), "--random-shapes 64x70: both sides must be multiples"),
        (dict(random_shapes=()), "--random-shapes (): needs at least one size"),
        (dict(shape_interval=0), "--shape-interval 0: must be 1 or more"),
        (dict(worker_type="fork"), "--worker-type fork: choose from auto, thread, process"),
        (dict(syncbn=True, freeze_bn=True), "--syncbn and --freeze-bn exclude each other: give one of them"),
        (dict(weights="a", pretrained=True), "--weights and --pretrained exclude each other: give one"),
        (dict(pretrained_base="maybe"), "--pretrained-base maybe: choose from auto, yes, no"),
        (dict(augment="strong"), "no augmentation is called 'strong'; the presets are yolo3, light"),
        (dict(lr_decay_epoch=(-1,)), "decay_epochs: expected epochs of 0 or more"),
    ],
)
def test_what_cannot_be_meant_is_refused(values, said):
    with pytest.raises(UserError) as caught:
        settings(**values).schedule(10)
    assert str(caught.value).startswith(said)


def test_random_shapes_are_those_of_the_paper():
    assert settings().sizes_hw[0] == (320, 320)
    assert settings().sizes_hw[-1] == (608, 608)
    assert len(settings().sizes_hw) == 10
    assert settings(random_shape=False, data_shape=(64, 96)).sizes_hw == [(64, 96)]
    assert settings(random_shapes=((32, 64), (96, 32))).sizes_hw == [(32, 64), (96, 32)]


def test_more_workers_than_pythons_lock_lets_run_are_processes():
    kinds = [settings(num_workers=n).loader_worker_type for n in (0, 1, 4, 5, 16)]
    assert kinds == ["thread"] * 3 + ["process"] * 2
    assert settings(num_workers=16, worker_type="thread").loader_worker_type == "thread"
    assert settings(num_workers=1, worker_type="process").loader_worker_type == "process"


def test_pictures_are_fitted_after_training_as_in_it():
    assert settings().fit == settings(augment="mosaic,light").fit == "resize"
    assert settings(augment="mosaic,light,letterbox").fit == "letterbox"


def test_num_samples_limits_an_epoch():
    assert [settings(num_samples=n, batch_size=8).batches(10) for n in (0, -1, 4, 16, 999)] == [
        10,
        10,
        1,
        2,
        10,
    ]


def test_mixup_ends_before_the_last_epochs():
    mixed = settings(mixup=True, epochs=5, no_mixup_epochs=2)
    assert [mixed.mixup_in(epoch) for epoch in range(5)] == [True, True, True, False, False]
    assert not settings(no_mixup_epochs=0).mixup_in(0)


def test_schedule_is_that_of_the_flags():
    schedule = settings(lr=0.01, epochs=4, lr_decay_epoch=(2,), warmup_epochs=1).schedule(5)
    assert [round(schedule(step), 6) for step in (0, 4, 5, 9, 10, 19)] == [0, 0.01, 0.01, 0.01, 0.001, 0.001]
