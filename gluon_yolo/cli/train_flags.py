"""Training flags: how they are declared, their defaults, and what a recipe makes of those."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
from collections.abc import Mapping
from typing import Any

from gluon_yolo.cli.data_flags import add_data_arguments
from gluon_yolo.cli.model_flags import parse_size
from gluon_yolo.data.anchors import by_level, format_anchors, named_anchors, parse_anchors
from gluon_yolo.data.transforms import TRANSFORMS
from gluon_yolo.engine.recipes import RECIPES
from gluon_yolo.engine.schedule import MODES
from gluon_yolo.engine.settings import BACKBONE_WEIGHTS, WORKER_TYPES, TrainSettings
from gluon_yolo.errors import UserError
from gluon_yolo.spec import YOLOV3_ANCHORS, Anchors

log = logging.getLogger("gluon_yolo")

Flags = dict[str, Any]  # a flag's name, with underscores, to its value: what args.json holds

# What the flags are when neither the command line nor a recipe says; most are the settings' own defaults.
_SETTINGS = {field.name: field.default for field in dataclasses.fields(TrainSettings)}
DEFAULTS: Mapping[str, Any] = {
    **{name: value for name, value in _SETTINGS.items() if name != "random_shape"},
    **{"network": "mobilenet1_0", "data_shape": "416", "lr_decay_epoch": "160,180", "no_random_shape": False},
    **{"random_shapes": "320,352,384,416,448,480,512,544,576,608"},
    **{
        "data": None,
        "format": None,
        "dataset": "voc",
        "data_root": None,
        "train_split": None,
        "val_split": None,
    },
    **{
        "classes": None,
        "skip_bad": False,
        "recipe": None,
        "gpus": None,
        "cpu_devices": 0,
        "save_prefix": "runs/",
    },
}
DEVICES = ("gpus", "cpu_devices", "num_workers", "worker_type")
_PATHS = ("data", "data_root", "classes", "weights")


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags, each None until given: a recipe and a resumed run must know which were."""
    add_data_arguments(parser)
    _add_network(parser.add_argument_group("network"))
    _add_run(parser.add_argument_group("run"))
    _add_learning(parser.add_argument_group("learning"))


def _add(group: Any, *names: str, help: str, **options: Any) -> None:
    """Add a flag; ``help`` gets its default at the end, except for switches."""
    default = DEFAULTS.get(names[-1].lstrip("-").replace("-", "_"))
    if default is False:
        options.update(action="store_true", default=None)
    elif default is not None:
        help += f" (default: {default})"
        if isinstance(default, (int, float)):
            options.update(type=type(default), metavar=options.get("metavar", "N"))
    group.add_argument(*names, help=help, **options)


def _add_network(group: Any) -> None:
    names = "mobilenet1_0, mobilenet0_25, mobilenetv2_1_0, darknet53, ..."
    sizes = "train at --data-shape only"
    anchors = (
        "auto: found on the training pictures at --data-shape, as `data anchors` finds them; or its file; or "
        "a list such as 10,13,16,30,33,23 (default: YOLOv3's nine)"
    )
    shapes = "train at these sizes, multiples of 32, drawn at random; such as 320,416,320x480 (height first)"
    _add(group, "--network", metavar="NAME", help=names)
    _add(group, "--data-shape", metavar="N|HxW", help="input size, of training and validation")
    _add(group, "--random-shapes", metavar="N,HxW", help=shapes)
    _add(group, "--shape-interval", help="batches of one drawn size in a row")
    _add(group, "--no-random-shape", help=sizes)
    _add(group, "--anchors", metavar="auto|FILE|LIST", help=anchors)
    _add(group, "--syncbn", help="normalise over the batch of all devices")
    _add(group, "--freeze-bn", help="keep batch normalisation as the loaded weights have it")
    _add(group, "--weights", metavar="FILE|RUN", help="start from these weights, as far as they fit")
    _add(group, "--pretrained", help="start from GluonCV's weights of the whole detector")
    _add(
        group,
        "--pretrained-base",
        choices=BACKBONE_WEIGHTS,
        help="start the backbone from GluonCV's ImageNet weights; auto: if they can be had",
    )


def _add_run(group: Any) -> None:
    purposes = "; ".join(f"{name}: {recipe.purpose}" for name, recipe in RECIPES.items())
    cpus = "use N CPU contexts in the place of GPUs, to try training on several devices without them"
    resume = (
        "go on with a run, to the same weights as without the break. Its settings are those of its "
        "args.json; only --gpus, --cpu-devices, -j and --worker-type may be given anew. With FILE, a .params "
        "file: start a run from it, at --start-epoch"
    )
    _add(group, "--recipe", choices=sorted(RECIPES), help=f"other defaults, for a purpose. {purposes}")
    _add(group, "--gpus", metavar="0,1", help='GPUs to train on; "" is the CPU (default: GPU 0 if usable)')
    _add(group, "--cpu-devices", help=cpus)
    _add(group, "-j", "--num-workers", help="threads or processes that prepare pictures")
    kinds = "what these are; auto: threads up to four, which share one memory, else processes, which scale"
    _add(group, "--worker-type", choices=WORKER_TYPES, help=kinds)
    _add(group, "--save-prefix", metavar="PREFIX", help="the run's folder is PREFIX, the network, a number")
    _add(group, "--resume", metavar="RUN|FILE", help=resume)
    _add(group, "--start-epoch", help="first epoch, with --resume FILE")
    _add(group, "--seed", help="of everything random")
    _add(group, "--log-interval", help="batches between log lines")
    _add(group, "--val-interval", help="epochs between validations; the last epoch has one in any case")
    _add(group, "--save-interval", help="epochs between kept snapshots, 0: none")


def _add_learning(group: Any) -> None:
    _add(group, "--epochs", help="of the whole training")
    _add(group, "--batch-size", help="pictures per step, over all devices")
    _add(group, "--num-samples", help="pictures per epoch; 0 or -1: all")
    _add(group, "--lr", metavar="X", help="learning rate after the warm-up")
    _add(group, "--lr-mode", choices=MODES, help="how it falls")
    _add(group, "--lr-decay", metavar="X", help="factor at each decay epoch")
    _add(group, "--lr-decay-epoch", metavar="E,E", help="epochs at which it decays")
    _add(group, "--lr-decay-period", help="decay every so many epochs instead; 0: not")
    _add(group, "--warmup-lr", metavar="X", help="learning rate that the warm-up starts from")
    _add(group, "--warmup-epochs", help="epochs of linear warm-up")
    _add(group, "--momentum", metavar="X", help="of stochastic gradient descent")
    _add(group, "--wd", metavar="X", help="weight decay")
    _add(group, "--no-wd", help="no weight decay on biases and batch normalisation")
    _add(group, "--mixup", help="mix pairs of pictures")
    _add(group, "--no-mixup-epochs", help="epochs without mixup at the end")
    _add(group, "--label-smooth", help="soften class targets")
    augment = (
        "presets and transforms with commas between, such as mosaic,light or "
        "color(hue_degrees=9),affine(scale=0.5:1.5,degrees=10),flip,letterbox. Presets: yolo3 (GluonCV's, "
        "for large data), light and overhead (gentler, the second for pictures without an upper side), none. "
        f"Transforms: {', '.join(TRANSFORMS)}. See them: gluon-yolo data show"
    )
    _add(group, "--augment", metavar="NAMES", help=augment)


def given_flags(args: argparse.Namespace) -> Flags:
    """Return the flags that were on the command line; paths and anchors are made to hold from any folder."""
    given = {name: value for name, value in vars(args).items() if value is not None and value is not False}
    if given.get("anchors", "auto") != "auto":
        anchors = named_anchors(given["anchors"])
        by_level(anchors, len(YOLOV3_ANCHORS))  # raises for too few, before any data is read
        given["anchors"] = format_anchors(anchors)
    return {name: _absolute(value) if name in _PATHS else value for name, value in given.items()}


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))


def fresh_flags(given: Flags, from_data: Mapping[str, Any] | None = None) -> Flags:
    """Return all flags of a new run.

    Args:
        given: the flags on the command line; they count more than all else.
        from_data: what the data's own file says of training; more than the recipe, which is more than the
            defaults.
    """
    recipe = RECIPES[given["recipe"]].flags if "recipe" in given else {}
    if "random_shapes" in given or "shape_interval" in given:
        if given.get("no_random_shape"):
            raise UserError("--no-random-shape excludes --random-shapes and --shape-interval: give one")
        given = {**given, "no_random_shape": False}  # over a recipe's
    flags = {**DEFAULTS, **recipe, **(from_data or {}), **given}
    if given.keys() & {"resume", "pretrained"}:
        flags["weights"] = given.get("weights")  # given ones take the place of the data file's
    if "data" in given:
        flags["dataset"] = given.get("dataset")
    start = flags.pop("resume", None)
    if start is not None:
        if flags["weights"]:
            raise UserError("--resume FILE and --weights both name weights to start from: give one of them")
        flags["weights"] = _absolute(start)
    return flags


def resumed_flags(given: Flags, kept: Flags) -> Flags:
    """Return all flags of a run that goes on: those that it kept, and the devices that are given anew."""
    ignored = [
        f"--{name.replace('_', '-')} {value} (the run has {kept.get(name)})"
        for name, value in given.items()
        if name not in (*DEVICES, "resume") and kept.get(name) != value
    ]
    if ignored:
        log.warning("a resumed run keeps its own settings; ignored: %s", ", ".join(ignored))
    anew = {name: given[name] for name in DEVICES if name in given}
    if anew.get("gpus") and "cpu_devices" not in anew:
        anew["cpu_devices"] = 0
    return {**DEFAULTS, **kept, **anew}


def settings_of(flags: Flags, class_names: tuple[str, ...]) -> TrainSettings:
    """Turn flags into settings.

    Raises:
        UserError: for a value that cannot be meant so.
    """
    from gluon_yolo.nn import zoo

    known = [flags["dataset"]] if flags["dataset"] else list(zoo.DATASET_CLASSES)
    usual = [name for name in known if zoo.DATASET_CLASSES[name] == tuple(class_names)]
    values = {name: flags[name] for name in _SETTINGS if name in flags}
    values["network"] = zoo.canonical(flags["network"], *usual)
    values["data_shape"] = parse_size(flags["data_shape"], "--data-shape")
    values["anchors"] = _anchors(flags["anchors"])
    values["random_shape"] = not flags["no_random_shape"]
    values["random_shapes"] = tuple(
        parse_size(word, "--random-shapes") for word in flags["random_shapes"].split(",") if word.strip()
    )
    values["lr_decay_epoch"] = _epochs(flags["lr_decay_epoch"])
    return TrainSettings(**values)


def _anchors(text: str | None) -> Anchors | None:
    """Return a list's anchors by level; None for the network's own and for ``auto``, which needs the data."""
    return None if text in (None, "auto") else by_level(parse_anchors(text), len(YOLOV3_ANCHORS))


def _epochs(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(word.isdecimal() for word in words):
        raise UserError(f"--lr-decay-epoch {text!r}: expected epochs with commas between, as 160,180")
    return tuple(int(word) for word in words)
