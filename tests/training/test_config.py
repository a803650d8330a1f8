"""TrainConfig: what is refused, and what follows from the values."""

from __future__ import annotations

import math

import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.lr_schedule import Schedule
from tests.printed import printed


def settings(**values) -> TrainConfig:
    return TrainConfig("yolo3_mobilenet0.25_custom", **values)


@pytest.mark.parametrize(
    "values, said",
    [
        (dict(epochs=0), "--epochs 0: must be 1 or more"),
        (dict(batch_size=0), "--batch-size 0: must be 1 or more"),
        (dict(lr=0.0), "--lr 0.0: must be above 0"),
        (dict(lr=math.nan), "--lr nan: must be above 0, and finite"),
        (dict(lr=math.inf), "--lr inf: must be above 0, and finite"),
        (dict(momentum=math.nan), "--momentum nan: must be 0 or more"),
        (dict(momentum=9.0), "--momentum 9.0: must be below 1"),
        (dict(wd=-0.1), "--wd -0.1: must be 0 or more"),
        (dict(lr_decay=10.0), "--lr-decay 10.0: must be above 0 and at most 1"),
        (dict(warmup_epochs=-1), "--warmup-epochs -1: must be 0 or more"),
        (dict(num_samples=-2), "--num-samples -2: must be -1 or more"),
        (dict(seed=-1), "--seed -1: must be 0 or more"),
        (dict(epochs=3, start_epoch=3), "--start-epoch 3: training ends with epoch 2"),
        (dict(data_shape=(0, 32)), "--data-shape 0x32: both sides must be 1 or more"),
        (dict(random_shapes=((64, 64), (64, 0))), "--random-shapes 64x0: both sides must be 1 or more"),
        (dict(random_shapes=()), "--random-shapes (): needs at least one size"),
        (dict(shape_interval=0), "--shape-interval 0: must be 1 or more"),
        (dict(worker_type="fork"), "--worker-type fork: choose from auto, thread, process"),
        (dict(syncbn=True, freeze_bn=True), "--syncbn and --freeze-bn exclude each other: give one of them"),
        (dict(weights="a", pretrained=True), "--weights and --pretrained exclude each other: give one"),
        (dict(pretrained_base="maybe"), "--pretrained-base maybe: choose from auto, yes, no, or name a file"),
        (dict(lr_mode="linear"), "--lr-mode linear: choose from step, poly, cosine, exponential, constant"),
        (dict(lr_decay=(0.1, 0.0)), "--lr-decay (0.1, 0.0): must be above 0"),
        (dict(lr_decay=(0.1,) * 3), "--lr-decay (0.1, 0.1, 0.1): as many as --lr-decay-epoch has"),
        (dict(lr_decay=(0.1,) * 2, lr_mode="exponential"), "--lr-decay (0.1, 0.1): as many as"),
        (dict(lr_power=0.0), "--lr-power 0.0: must be above 0"),
        (dict(warmup_power=-1.0), "--warmup-power -1.0: must be above 0"),
        (dict(target_lr=-1.0, lr_mode="poly"), "--target-lr -1.0: must be 0 or more"),
        (dict(target_lr=0.1), "--target-lr 0.1: needs --lr-mode poly or cosine"),
        (dict(cosine_epochs=9, lr_mode="poly"), "--cosine-epochs 9: needs --lr-mode cosine"),
        (dict(loss_scale=0.0), "--loss-scale 0.0: must be above 0"),
        (dict(box_loss="iou"), "--box-loss iou: choose from auto, yolo3, giou, diou, ciou"),
        (dict(val_metric="map"), "--val-metric map: choose from auto, fitness, voc07, voc, coco"),
        (dict(label_smooth_factor=0.1), "--label-smooth-factor 0.1: needs --label-smooth"),
        (dict(label_smooth=True, label_smooth_factor=0.5), "--label-smooth-factor 0.5: must be above 0 and"),
        (dict(profile=-1), "--profile -1: must be 0 or more"),
        (dict(augment="strong"), "no augmentation is called 'strong'; the presets are yolo3, light"),
        (dict(lr_decay_epoch=(-1,)), "decay_epochs: expected epochs of 0 or more"),
    ],
)
def test_what_cannot_be_meant_is_refused(values, said):
    with pytest.raises(UserError) as caught:
        settings(**values).schedule(10)
    assert printed(caught.value).startswith(said)


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


def test_images_are_fitted_after_training_as_in_it():
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


def test_schedule_takes_every_flag_of_the_learning_rate():
    chosen = dict(
        lr=0.4,
        epochs=8,
        lr_mode="cosine",
        target_lr=0.1,
        cosine_epochs=4,
        lr_power=3.0,
        lr_decay=0.3,
        lr_decay_epoch=(5,),
        warmup_epochs=0.5,
        warmup_lr=0.2,
        warmup_power=4.0,
    )
    expected = Schedule(
        base_lr=0.4,
        total_epochs=8,
        batches_per_epoch=5,
        mode="cosine",
        decay=0.3,
        decay_epochs=(5,),
        warmup_epochs=0.5,
        warmup_lr=0.2,
        target_lr=0.1,
        power=3.0,
        warmup_power=4.0,
        cosine_epochs=4,
    )
    assert settings(**chosen).schedule(5) == expected
    assert settings(lr_decay=[10, 0.1]).schedule(5).decay == (10, 0.1)


@pytest.mark.parametrize("num_classes, usual", [(1, 1 / 40), (20, 1 / 40), (80, 1 / 80)])
def test_smoothing_is_gluoncvs_where_not_said(num_classes, usual):
    assert settings().smoothing(num_classes) == 0
    assert settings(label_smooth=True).smoothing(num_classes) == usual
    assert settings(label_smooth=True, label_smooth_factor=0.05).smoothing(num_classes) == 0.05


@pytest.mark.parametrize("text, words", [(None, ()), ("57", ("57",)), ("3, backbone ,", ("3", "backbone"))])
def test_frozen_parts_are_named_with_commas_between(text, words):
    assert settings(freeze=text).frozen == words
