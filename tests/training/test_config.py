"""TrainConfig: invalid values, and values computed from the settings."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
from pathlib import Path

import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.training.config import DEFAULTS, KINDS, PLAIN_DEFAULTS, TrainConfig
from gluon_yolo.training.config_forms import plain_settings
from gluon_yolo.training.lr_schedule import Schedule
from tests.printed import printed, refused


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
        (dict(optimizer="lion"), "--optimizer lion: choose from sgd, adamw"),
        (dict(shape_interval=0), "--shape-interval 0: must be 1 or more"),
        (dict(ema_decay=1.0), "--ema-decay 1.0: must be below 1"),
        (dict(ema_decay=-0.1), "--ema-decay -0.1: must be 0 or more"),
        (dict(ema_ramp_up=float("inf")), "--ema-ramp-up inf: must be 0 or more, and finite"),
        (dict(loss_scale=0.0), "--loss-scale 0.0: must be above 0"),
        (dict(box_loss="iou"), "--box-loss iou: choose from auto, yolo3, giou, diou, ciou"),
        (dict(val_metric="map"), "--val-metric map: choose from auto, fitness, voc07, voc, coco"),
        (dict(label_smooth_factor=0.1), "--label-smooth-factor 0.1: needs --label-smooth"),
        (dict(label_smooth=True, label_smooth_factor=0.5), "--label-smooth-factor 0.5: must be above 0 and"),
        (dict(profile=-1), "--profile -1: must be 0 or more"),
        (dict(engine="jax"), "--engine jax: choose from auto, mxnet, torch"),
        (dict(precision="float16"), "--precision float16: choose from float32, tf32, bfloat16"),
        (
            dict(engine="mxnet", precision="tf32"),
            "--precision tf32: needs --engine torch; mxnet's engine computes",
        ),
        (dict(engine="mxnet", compile=True), "--compile: needs --engine torch"),
        (dict(engine="mxnet", deterministic=True), "--deterministic: needs --engine torch"),
        (dict(augment="strong"), "--augment 'strong': no augmentation is called 'strong'; the presets are"),
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


def test_every_setting_has_a_default_and_a_comment_of_one_line():
    assert [field.name for field in dataclasses.fields(TrainConfig)] == [*KINDS, "given"]
    for name, comment in TrainConfig.comments().items():
        assert comment and "\n" not in comment and len(comment) < 90, name
    assert TrainConfig().values() == DEFAULTS


def test_the_plain_form_is_that_of_args_json():
    said = dict(data_shape=(320, 416), random_shape=False, random_shapes=((320, 320), (64, 96)))
    more = dict(lr_decay_epoch=(2, 3.5), lr_decay=(0.5, 1e-5), anchors=(((1.5, 2),), ((30, 40), (5, 6))))
    plain = {**PLAIN_DEFAULTS, "network": "net"}
    config = TrainConfig("net", **said, **more)
    assert TrainConfig.from_plain(plain) == TrainConfig("net")
    assert json.dumps(plain_settings(TrainConfig.from_plain(plain).values())) == json.dumps(plain)
    assert (plain["data_shape"], plain["lr_decay_epoch"], plain["no_random_shape"]) == (
        "416",
        "160,180",
        False,
    )
    assert plain["random_shapes"] == "320,352,384,416,448,480,512,544,576,608"
    written = plain_settings(config.values())
    assert json.loads(json.dumps(written)) == written and "random_shape" not in written
    assert {name: each for name, each in written.items() if each != plain[name]} == {
        "data_shape": "320x416",
        "no_random_shape": True,
        "random_shapes": "320,64x96",
        "lr_decay_epoch": "2,3.5",
        "lr_decay": "0.5,1e-05",
        "anchors": "1.5,2, 30,40, 5,6",
    }
    again = TrainConfig.from_plain(written)
    assert again.for_network("net", 3).anchors == (((1.5, 2.0),), ((5.0, 6.0),), ((30.0, 40.0),))
    assert dataclasses.replace(again, anchors=config.anchors) == config


@pytest.mark.parametrize(
    "config, given",
    [
        (TrainConfig(), set()),
        (TrainConfig("net", 200, lr=0.001), {"network", "epochs", "lr"}),
        (dataclasses.replace(TrainConfig(lr=0.001), epochs=3), {"lr", "epochs"}),
        (dataclasses.replace(TrainConfig(epochs=3), epochs=200), {"epochs"}),
        (TrainConfig(data="d"), {"data", "dataset"}),  # ``data`` sets ``dataset`` to None
        (pickle.loads(pickle.dumps(TrainConfig(lr=0.001))), {"lr"}),
    ],
)
def test_what_was_named_or_is_no_default_counts_as_given(config, given):
    assert config.given == given


@pytest.mark.parametrize("name", ["config.yaml", "config.json"])
def test_a_written_config_is_read_as_the_same(tmp_path, name):
    config = TrainConfig(
        "a b: #.cfg",
        lr=1 / 3,
        wd=1e-05,
        lr_decay=(0.1, 0.5),
        lr_decay_epoch=(1, 2.5),
        warmup_epochs=0.5,
        random_shapes=((64, 96),),
        anchors="10,13, 16,30",
        gpus="",
        only="red\\, cell,dog",
        name="null",
        train_split="2012_01",
        pretrained_base="no",
        freeze="57",
        data="/Bilder/Größe/\udcff",
        memory=1.5,
        save_prefix="yes",
    )
    config.save(tmp_path / name)
    found = TrainConfig.load(tmp_path / name)
    assert found == config and found.given == set(KINDS)
    assert type(found.warmup_epochs) is float and type(found.lr_decay_epoch[0]) is int


def test_a_written_file_explains_every_setting(tmp_path):
    TrainConfig().save(tmp_path / "c.yaml")
    text = (tmp_path / "c.yaml").read_text()
    assert text.startswith("# Settings of a training. To repeat it: gluon-yolo train --config THIS_FILE\n")
    for name, comment in TrainConfig.comments().items():
        assert f"\n# {comment}\n{name}: " in text


def test_a_file_takes_values_as_typed_and_as_flags_take_them(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text(
        "network: mobilenet0_25\n--lr: 1e-3\nbatch-size: 8\nno-random-shape: true\ndata_shape: 320x416\n"
        "lr_decay_epoch: 1,2.5\nlr_decay: [0.1, 0.2]\ngpus: [0, 1]\nonly: ['red, cell', dog]\nprofile: true\n"
        "pretrained_base: no\nfreeze: 57\nanchors: [10, 13, 16, 30]\nlabel_smooth_factor: ~\nmixup: false\n"
    )
    config = TrainConfig.load(path)
    assert (config.lr, config.batch_size, config.random_shape, config.data_shape) == (
        0.001,
        8,
        False,
        (320, 416),
    )
    assert (config.lr_decay_epoch, config.lr_decay, config.gpus) == ((1, 2.5), (0.1, 0.2), "0,1")
    assert (config.only, config.profile, config.pretrained_base) == ("red\\, cell,dog", 10, "no")
    assert (config.freeze, config.anchors) == ("57", "10,13, 16,30")
    assert {"mixup", "label_smooth_factor"} < config.given and "epochs" not in config.given
    path = tmp_path / "mine.json"
    path.write_text('{"data_shape": 320, "random_shapes": [320, [64, 96]], "lr": 1, "name": 7}')
    config = TrainConfig.load(path)
    assert (config.data_shape, config.random_shapes) == ((320, 320), ((320, 320), (64, 96)))
    assert (repr(config.lr), config.name) == ("1.0", "7")


@pytest.mark.parametrize(
    "name, text, said",
    [
        (
            "c.yaml",
            "lr: 1\nepoch: 3\n",
            "c.yaml: line 2: epoch: there is no such setting; did you mean epochs?",
        ),
        ("c.yaml", "epochs: many\n", "c.yaml: line 1: epochs many: expected a whole number"),
        ("c.yaml", "epochs: 2.5\n", "c.yaml: line 1: epochs 2.5: expected a whole number"),
        ("c.yaml", "epochs:\n", "c.yaml: line 1: epochs: needs a value"),
        ("c.yaml", "lr: fast\n", "c.yaml: line 1: lr fast: expected a number"),
        ("c.yaml", "mixup: 1\n", "c.yaml: line 1: mixup 1: expected true or false"),
        ("c.yaml", "data_shape: 41x\n", "c.yaml: line 1: data_shape '41x': expected pixels as 416"),
        (
            "c.yaml",
            "data_shape: [1, 2, 3]\n",
            'c.yaml: line 1: data_shape ["1", "2", "3"]: expected height and',
        ),
        ("c.yaml", "lr_decay_epoch: x\n", "c.yaml: line 1: lr_decay_epoch 'x': expected epochs with commas"),
        ("c.yaml", "# more\nlr: -1\n", "c.yaml: line 2: as --lr -1.0: must be above 0"),
        ("c.yaml", "lr: 1\nlr: 2\n", "c.yaml: line 2: lr is there twice"),
        ("c.yaml", "lr: 1\n--lr: 2\n", "c.yaml: line 2: --lr: is given twice, by two of its names"),
        ("c.yaml", "- lr\n", "c.yaml: expected settings, one a line, as `epochs: 30`"),
        ("c.yaml", "lr: [1\n", "c.yaml: line 2: is no YAML: "),
        ("c.yaml", "[1]: 2\n", "c.yaml: line 1: expected settings, one a line, as `epochs: 30`"),
        ("c.json", '{"lr": 1, "lr": 2}', "c.json: lr is there twice"),
        ("c.json", '{"lr": ', "c.json: is no JSON: "),
        ("c.json", "[1]", "c.json: expected a JSON object of settings"),
        ("c.json", '{"lr": true}', "c.json: lr true: expected a number"),
        ("absent.yaml", None, "absent.yaml: cannot read the file of settings: "),
    ],
)
def test_a_file_that_cannot_be_meant_so_is_named_with_its_line_and_setting(tmp_path, name, text, said):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as caught:
        TrainConfig.load(tmp_path / name)
    assert printed(caught.value).replace(f"{tmp_path}/", "").startswith(said)


def test_errors_name_the_setting_in_python():
    with pytest.raises(UserError) as caught:
        TrainConfig(label_smooth_factor=0.1)
    assert str(caught.value) == "label_smooth_factor 0.1: needs label_smooth"
    assert caught.value.setting == "label_smooth_factor"
    with refused("^--anchors: got 1, but the network has 3 levels"):
        TrainConfig(anchors="1,2").for_network("net", 3)


def test_paths_are_taken_as_paths(tmp_path):
    config = TrainConfig(data=Path("my_data"), weights=Path("a") / "b.params")
    assert (config.data, config.weights) == ("my_data", "a/b.params")
    config.save(tmp_path / "mine.yaml")
    assert TrainConfig.load(tmp_path / "mine.yaml") == config


def test_mosaic_ends_before_the_last_epochs():
    closed = settings(epochs=5, no_mosaic_epochs=2)
    assert [closed.mosaic_in(epoch) for epoch in range(5)] == [True, True, True, False, False]
    assert all(settings(epochs=5).mosaic_in(epoch) for epoch in range(5))
