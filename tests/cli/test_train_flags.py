"""The flags of training: published commands, recipes, and the settings of a resumed run."""

from __future__ import annotations

import argparse
import json
import logging
import shlex
from pathlib import Path

import pytest

from gluon_yolo.api.train import _given
from gluon_yolo.class_names import COCO_CLASSES, VOC_CLASSES
from gluon_yolo.cli.flags.train import DEFAULTS, PROFILED, add_train_arguments
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.merge import Given, Layer, merge, recipe_settings, warn_of_idle
from gluon_yolo.training.prepare import architecture_of
from gluon_yolo.training.recipes import RECIPES
from gluon_yolo.training.resumed import resumed_args
from tests.child import python
from tests.printed import refused

VOC = (
    "--network mobilenet1_0 --dataset voc --gpus 0,1,2,3,4,5,6,7 --batch-size 64 -j 16 --log-interval 100 "
    "--lr-decay-epoch 160,180 --epochs 200 --syncbn --warmup-epochs 4"
)
COCO = (
    "--network mobilenet1_0 --dataset coco --gpus 0,1,2,3,4,5,6,7 --batch-size 64 -j 32 --log-interval 100 "
    "--lr-decay-epoch 220,250 --epochs 280 --syncbn --warmup-epochs 2 --mixup --no-mixup-epochs 20 "
    "--label-smooth --no-wd"
)


pytestmark = pytest.mark.usefixtures("command_line_log")


def given(words: str) -> dict:
    parser = argparse.ArgumentParser()
    add_train_arguments(parser)
    parsed = vars(parser.parse_args(shlex.split(words)))
    said = {name: value for name, value in parsed.items() if value is not None and value is not False}
    return dict(_given(None, said).words)


def fresh_flags(given: dict, from_data: dict | None = None, from_network: dict | None = None) -> dict:
    return merge(Given(given), Layer(from_data or {}), Layer(from_network or {})).args


def settings_of(flags: dict, network: str, levels: int) -> TrainConfig:
    return TrainConfig.from_plain(flags).for_network(network, levels)


def settings_for(flags: dict, class_names: tuple[str, ...]) -> TrainConfig:
    architecture = architecture_of(flags["network"], flags["dataset"], class_names)
    return settings_of(flags, architecture.name, architecture.spec.num_levels)


def changed(words: str, class_names: tuple[str, ...]) -> dict:
    """Return the settings of a command line that differ from the defaults."""
    settings = settings_for(fresh_flags(given(words)), class_names)
    plain = settings_for(dict(DEFAULTS), class_names)
    return {name: value for name, value in settings.values().items() if value != getattr(plain, name)}


def test_the_published_commands_parse_as_written():
    gpus = "0,1,2,3,4,5,6,7"
    assert changed(VOC, VOC_CLASSES) == {
        **{"num_workers": 16, "syncbn": True, "warmup_epochs": 4},
        "gpus": gpus,
    }
    assert changed(COCO, COCO_CLASSES) == {
        "network": "yolo3_mobilenet1.0_coco",
        "num_workers": 32,
        "lr_decay_epoch": (220, 250),
        "epochs": 280,
        "syncbn": True,
        "warmup_epochs": 2,
        "mixup": True,
        "label_smooth": True,
        "no_wd": True,
        "dataset": "coco",
        "gpus": gpus,
    }
    assert given(VOC)["gpus"] == given(COCO)["gpus"] == gpus


def test_every_other_flag_of_the_original_is_taken():
    words = (
        "--data-shape 320 --start-epoch 3 --lr 0.01 --lr-mode poly --lr-decay 0.2 --lr-decay-period 5 "
        "--warmup-lr 0.001 --momentum 0.8 --wd 0.001 --save-prefix out/my- --save-interval 5 "
        "--val-interval 2 --seed 7 --num-samples -1 --no-random-shape --resume some.params"
    )
    assert changed(words, ("cat",)) == {
        "data_shape": (320, 320),
        "start_epoch": 3,
        "lr": 0.01,
        "lr_mode": "poly",
        "lr_decay": 0.2,
        "lr_decay_period": 5,
        "warmup_lr": 0.001,
        "momentum": 0.8,
        "wd": 0.001,
        "save_interval": 5,
        "val_interval": 2,
        "seed": 7,
        "num_samples": -1,
        "random_shape": False,
        "save_prefix": "out/my-",
        "weights": str(Path("some.params").absolute()),
    }


@pytest.mark.parametrize(
    "words, class_names, network",
    [
        ("--network mobilenet1_0", VOC_CLASSES, "yolo3_mobilenet1.0_voc"),
        ("--network mobilenet1_0", ("cat", "dog"), "yolo3_mobilenet1.0_custom"),
        ("--network mobilenet1_0", VOC_CLASSES[:19], "yolo3_mobilenet1.0_custom"),
        ("--network mobilenet1_0 --dataset coco", COCO_CLASSES, "yolo3_mobilenet1.0_coco"),
        ("--network yolo3_mobilenet1.0_voc", ("cat", "dog"), "yolo3_mobilenet1.0_voc"),
    ],
)
def test_the_network_is_named_for_its_classes(words, class_names, network):
    assert settings_for(fresh_flags(given(words)), class_names).network == network


def test_flags_win_over_a_recipe_and_a_recipe_over_defaults():
    recipe = RECIPES["small-data"].settings
    for words in (
        "--recipe small-data --epochs 7 --lr-mode poly",
        "--epochs 7 --lr-mode poly --recipe small-data",
    ):
        expected = {**DEFAULTS, **recipe, "epochs": 7, "lr_mode": "poly", "recipe": "small-data"}
        assert fresh_flags(given(words)) == expected
    assert recipe["augment"] != DEFAULTS["augment"]


def test_the_data_files_settings_win_over_a_recipe_and_lose_to_flags():
    recipe = RECIPES["small-data"].settings
    own = {"epochs": 3, "lr": 0.5, "data_shape": "96x64", "no_random_shape": True, "weights": "old.params"}
    flags = fresh_flags(given("--recipe small-data --lr 0.25 --data my.data"), own)
    expected = {**DEFAULTS, **recipe, **own, "lr": 0.25, "recipe": "small-data", "dataset": None}
    assert flags == {**expected, "data": str(Path("my.data").absolute())}
    assert not fresh_flags(given("--random-shapes 64,96"), own)["no_random_shape"]
    assert fresh_flags(given("--resume new.params"), own)["weights"] == str(Path("new.params").absolute())
    assert fresh_flags(given("--pretrained"), own)["weights"] is None


@pytest.mark.parametrize(
    ("words", "class_names", "network"),
    [
        ("--data D", VOC_CLASSES, "yolo3_mobilenet1.0_voc"),
        ("--data D", COCO_CLASSES, "yolo3_mobilenet1.0_coco"),
        ("--data D", ("cat",), "yolo3_mobilenet1.0_custom"),
    ],
)
def test_the_network_of_any_data_is_named_for_its_classes(words, class_names, network):
    assert settings_for(fresh_flags(given(words)), class_names).network == network


def test_random_shapes_that_are_given_win_over_a_recipes_single_size():
    def sizes_hw(words: str) -> list[tuple[int, int]]:
        return settings_for(fresh_flags(given(words)), ("a",)).sizes_hw

    assert sizes_hw("--recipe small-data") == [(320, 320)]
    assert sizes_hw("--recipe small-data --random-shapes 320,64x96") == [(320, 320), (64, 96)]
    with refused("--no-random-shape excludes --random-shapes"):
        sizes_hw("--random-shapes 320 --no-random-shape")
    with refused("--random-shapes '320;416': expected pixels"):
        sizes_hw("--random-shapes 320;416".replace(";", "\\;"))


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_name_flags_and_are_legal(name):
    assert set(RECIPES[name].settings) <= set(DEFAULTS)
    settings_for(fresh_flags({"recipe": name}), ("cat",))


def test_a_recipe_leaves_a_cfg_the_size_of_its_input(tmp_path, monkeypatch):
    """Its anchors are in pixels of that size. A model file in the folder makes no cfg of a zoo name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    for place in ("models/network.cfg", "network.cfg"):
        (tmp_path / place).touch()
    networks = {"a.cfg": False, "models": False, "mobilenet0_25": True, "": True}
    for network, kept in networks.items():
        decided = recipe_settings({"recipe": "small-data", **({"network": network} if network else {})})
        assert ("data_shape" in decided, decided["epochs"]) == (kept, 30)


def test_a_flag_given_its_default_value_wins_too():
    assert fresh_flags(given("--recipe small-data --epochs 200 --augment yolo3"))["epochs"] == 200


def test_paths_hold_from_any_folder():
    flags = fresh_flags(given("--data-root data --classes names.txt --weights w.params --data d.yaml"))
    assert [flags[name] for name in ("data_root", "classes", "weights", "data")] == [
        str(Path(name).absolute()) for name in ("data", "names.txt", "w.params", "d.yaml")
    ]


def test_a_resumed_run_keeps_its_settings_but_not_its_devices(caplog):
    kept = fresh_flags(given("--data-root data --epochs 5 --gpus 0,1 -j 8"))
    with caplog.at_level(logging.WARNING, "gluon_yolo"):
        flags = resumed_args(given("--resume runs/x-1"), kept)
        assert flags == kept and not caplog.records
        flags = resumed_args(given("--resume runs/x-1 --data-root data --epochs 5"), kept)
        assert flags == kept and not caplog.records
    flags = resumed_args(given('--resume runs/x-1 --gpus "" --cpu-devices 2 -j 1 --lr 1 --mixup'), kept)
    assert flags == {**kept, "gpus": "", "cpu_devices": 2, "num_workers": 1}
    assert [record.getMessage() for record in caplog.records] == [
        "a resumed run keeps its own settings; ignored: --lr 1.0 (the run has 0.001), "
        "--mixup True (the run has False)"
    ]


def test_gpus_given_anew_take_the_place_of_cpu_devices():
    kept = fresh_flags(given("--cpu-devices 2"))
    assert resumed_args(given("--resume r --gpus 0"), kept)["cpu_devices"] == 0


def test_two_sources_of_weights_are_refused():
    with refused("--resume FILE and --weights both name weights"):
        fresh_flags(given("--resume a.params --weights b.params"))
    with refused("--weights and --pretrained-base FILE both name weights"):
        fresh_flags(given("--weights a.params --pretrained-base b.params"))


def test_decay_without_steps_is_told_to_have_no_effect(caplog):
    said = given("--lr-mode cosine --lr-decay-epoch 3")
    warn_of_idle(Given(said), fresh_flags(said))
    assert "--lr-decay-epoch has no effect with --lr-mode cosine" in caplog.text


@pytest.mark.parametrize("text", ["160,x", ".", "-3", "1e", "1e400", "nan", "inf"])
def test_decay_epochs_are_numbers(text):
    with refused("--lr-decay-epoch .*: expected epochs with commas between"):
        settings_for({**DEFAULTS, "lr_decay_epoch": text}, ("cat",))


def test_anchors_of_a_file_are_kept_as_a_list(tmp_path):
    (tmp_path / "anchors3.txt").write_text("1,2, 30,40, 5,6\n0.7\n")
    flags = fresh_flags(given(f"--anchors {tmp_path}/anchors3.txt"))
    assert flags["anchors"] == "1,2, 30,40, 5,6"
    assert settings_for(flags, ("cat",)).anchors == (((1, 2),), ((5, 6),), ((30, 40),))
    assert settings_for(fresh_flags(given("--anchors auto")), ("cat",)).anchors is None  # needs the data
    assert settings_for(fresh_flags({}), ("cat",)).anchors is None


@pytest.mark.parametrize(
    "text, said",
    [("1,2,3,4", "got 2, but the network has 3 levels"), ("none.txt", "none.txt: cannot read the anchors")],
)
def test_anchors_that_cannot_be_used_are_refused_before_the_data_is_read(text, said):
    with refused(said):
        settings_for(fresh_flags(given(f"--anchors {text}")), ("cat",))


def test_help_needs_no_mxnet_and_explains_resume():
    code = """
import sys
from gluon_yolo.cli import main
try:
    main(["train", "--help"])
finally:
    print("mxnet" in sys.modules)
"""
    done = python("-c", code)
    text = " ".join(done.stdout.split())
    anew = "only --gpus, --cpu-devices, --memory, -j and --worker-type may be given anew"
    assert f"Its settings are those of its args.json; {anew}" in text
    assert text.endswith("False")


@pytest.mark.parametrize(
    "words, settings",
    [
        ("--lr-decay 0.5", {"lr_decay": 0.5}),
        ("--lr-decay 0.5,0.2", {"lr_decay": (0.5, 0.2)}),
        ("--lr-decay-epoch 2,3.5", {"lr_decay_epoch": (2, 3.5)}),
        ("--lr-decay-epoch 1.25e-2,1.13778e+07,2e7", {"lr_decay_epoch": (0.0125, 11377800, 20000000)}),
        ("--lr-decay-period 0.25", {"lr_decay_period": 0.25}),
        (
            "--augment color(hue_degrees=1E-1,contrast=1:1.5e0)",
            {"augment": "color(hue_degrees=1E-1,contrast=1:1.5e0)"},
        ),
        (
            "--lr-mode poly --lr-power 4 --target-lr 1e-5",
            {"lr_mode": "poly", "lr_power": 4, "target_lr": 1e-5},
        ),
        ("--lr-mode cosine --cosine-epochs 320", {"lr_mode": "cosine", "cosine_epochs": 320}),
        ("--lr-mode exponential --lr-decay .98", {"lr_mode": "exponential", "lr_decay": 0.98}),
        ("--warmup-epochs 0.5 --warmup-power 4", {"warmup_epochs": 0.5, "warmup_power": 4}),
        ("--loss-scale 1024 --box-loss ciou", {"loss_scale": 1024, "box_loss": "ciou"}),
        ("--optimizer adamw --wd .05", {"optimizer": "adamw", "wd": 0.05}),
        ("--ema --ema-decay .99 --ema-ramp-up 50", {"ema": True, "ema_decay": 0.99, "ema_ramp_up": 50}),
        ("--label-smooth --label-smooth-factor .1", {"label_smooth": True, "label_smooth_factor": 0.1}),
        ("--val-metric voc", {"val_metric": "voc"}),
        ("--profile", {"profile": PROFILED}),
        ("--profile 3", {"profile": 3}),
        ("--freeze 57", {"freeze": "57"}),
        ("--freeze backbone,neck --freeze 3", {"freeze": "backbone,neck,3"}),
        ("--pretrained", {"pretrained": True}),
        ("--pretrained-base no", {"pretrained_base": "no"}),
    ],
)
def test_flags_reach_the_settings(words, settings):
    assert changed(words, VOC_CLASSES) == settings
    flags = fresh_flags(given(words))
    assert json.loads(json.dumps(flags)) == flags  # in args.json
    assert resumed_args({"resume": "run"}, flags) == flags


def test_whole_warm_up_epochs_stay_whole_numbers():
    assert repr(given("--warmup-epochs 4")["warmup_epochs"]) == "4"


def test_files_in_the_place_of_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.params").touch()
    path = str(tmp_path / "mine.params")
    flags = fresh_flags(given("--pretrained mine.params"))
    assert (flags["pretrained"], flags["weights"]) == (False, path)
    flags = fresh_flags(given("--pretrained-base mine.params"))
    assert (flags["pretrained_base"], flags["weights"]) == (path, None)
    assert settings_for(flags, VOC_CLASSES).pretrained_base == path
    with refused("--pretrained none.params: expected a file, and there is none there"):
        fresh_flags(given("--pretrained none.params"))
    with refused("--pretrained-base maybe: expected auto, yes, no, or a file, and there"):
        fresh_flags(given("--pretrained-base maybe"))
    for other in ("--weights mine.params", "--resume mine.params"):
        with refused("both name weights to start from"):
            fresh_flags(given(f"--pretrained mine.params {other}"))
    with refused("--weights and --pretrained exclude each other"):
        changed("--weights mine.params --pretrained", VOC_CLASSES)


@pytest.mark.parametrize(
    "words", ["--lr-decay x", "--lr-decay 0.1,", "--warmup-epochs x", "--profile x", "--freeze"]
)
def test_what_is_no_number_is_refused_by_the_parser(words, capsys):
    with pytest.raises(SystemExit):
        given(words)
    assert f"error: argument {words.split()[0]}" in capsys.readouterr().err
