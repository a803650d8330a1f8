"""Training flags: what the command line, recipes, data, network and a resumed run make of their values."""

from __future__ import annotations

import argparse
import logging
import math
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gluon_yolo.cli.flags.model import parse_size
from gluon_yolo.cli.flags.train import ANCHOR_WORDS, DEFAULTS, SETTINGS, Flags
from gluon_yolo.data.anchors import by_level, format_anchors, named_anchors, parse_anchors
from gluon_yolo.errors import UserError
from gluon_yolo.file_names import check_name
from gluon_yolo.inference.model_record import weights_file
from gluon_yolo.spec import Anchors
from gluon_yolo.training.config import BACKBONE_WEIGHTS, TrainConfig
from gluon_yolo.training.recipes import RECIPES

log = logging.getLogger("gluon_yolo")

DEVICES = ("gpus", "cpu_devices", "memory", "num_workers", "worker_type")
PLACES = ("data", "data_root", "classes", "class_map")
"""Flags that say where a run's data lies, which may have moved since."""
_PATHS = (*PLACES, "weights")


def given_flags(args: argparse.Namespace) -> Flags:
    """Return the flags that were on the command line; paths and anchors are made to hold from any folder."""
    given = {name: value for name, value in vars(args).items() if value is not None and value is not False}
    if given.get("anchors", "auto") not in ANCHOR_WORDS:
        given["anchors"] = format_anchors(named_anchors(given["anchors"]))
    if given.get("network", "").endswith(".cfg"):
        given["network"] = _absolute(given["network"])
    return {name: _absolute(value) if name in _PATHS else value for name, value in given.items()}


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))


def decided_flags(given: Flags, from_data: Mapping[str, Any]) -> Flags:
    """Return the flags that the command line, the data's own file and a recipe decide."""
    return {**recipe_flags(given), **from_data, **given}


def recipe_flags(given: Mapping[str, Any]) -> Flags:
    """Return the flags that a recipe decides: of a darknet cfg's network all but the size of the input.

    The cfg says that size, and its anchors are in pixels of it.
    """
    recipe = RECIPES[given["recipe"]].flags if "recipe" in given else {}
    network = os.path.expanduser(given.get("network", ""))
    described = network.endswith(".cfg") or (network and os.path.isfile(os.path.join(network, "network.cfg")))
    return {name: value for name, value in recipe.items() if not (described and name == "data_shape")}


def fresh_flags(
    given: Flags, from_data: Mapping[str, Any] | None = None, from_network: Mapping[str, Any] | None = None
) -> Flags:
    """Return all flags of a new run.

    Args:
        given: the flags on the command line; they count more than all else.
        from_data: what the data's own file says of training; more than the recipe.
        from_network: what the network's own file says; less than the recipe, more than the defaults.
    """
    if "random_shapes" in given or "shape_interval" in given:
        if given.get("no_random_shape"):
            raise UserError("--no-random-shape excludes --random-shapes and --shape-interval: give one")
        given = {**given, "no_random_shape": False}  # over a recipe's
    if "name" in given:
        check_name(given["name"], "--name")
    _check_memory(given)
    given = _with_pretrained_file(given)
    if "weights" in given and given.get("pretrained_base") not in (None, *BACKBONE_WEIGHTS):
        raise UserError(
            "--weights and --pretrained-base FILE both name weights to start from: give one of them"
        )
    flags = {**DEFAULTS, **(from_network or {}), **decided_flags(given, from_data or {})}
    if flags["pretrained_base"] not in BACKBONE_WEIGHTS:
        flags["pretrained_base"] = _file("pretrained_base", flags["pretrained_base"])
    if given.keys() & {"resume", "pretrained"}:
        flags["weights"] = given.get("weights")  # given ones take the place of the data file's
    for name in ("lr_decay_epoch", "lr_decay_period"):
        if name in given and flags["lr_mode"] != "step":
            log.warning("--%s has no effect with --lr-mode %s", name.replace("_", "-"), flags["lr_mode"])
    if "data" in given:
        flags["dataset"] = given.get("dataset")
    start = flags.pop("resume", None)
    if start is not None:
        if flags["weights"]:
            raise UserError("--resume FILE and --weights both name weights to start from: give one of them")
        flags["weights"] = _absolute(start)
    return flags


def _check_memory(given: Flags) -> None:
    gigabytes = given.get("memory", 1)
    if not math.isfinite(gigabytes):
        raise UserError(f"--memory {gigabytes}: must be a number of GB; leave it out to take what is there")
    if gigabytes <= 0:
        raise UserError(f"--memory {gigabytes}: must be above 0")


def _with_pretrained_file(given: Flags) -> Flags:
    """Turn ``--pretrained FILE`` into ``--weights FILE``.

    Raises:
        UserError: when there is no such file, or ``--weights`` is given too.
    """
    if not isinstance(given.get("pretrained"), str):
        return given
    if "weights" in given:
        raise UserError("--pretrained FILE and --weights both name weights to start from: give one of them")
    return {**given, "pretrained": False, "weights": _file("pretrained", given["pretrained"])}


def _file(flag: str, path: str) -> str:
    """Return the whole path of a file that a flag names in the place of a word.

    Raises:
        UserError: when it is not there.
    """
    words = f"{', '.join(BACKBONE_WEIGHTS)}, or " if flag == "pretrained_base" else ""
    if not weights_file(Path(_absolute(path))).exists():
        raise UserError(f"--{flag.replace('_', '-')} {path}: expected {words}a file, and there is none there")
    return _absolute(path)


def resumed_flags(given: Flags, kept: Flags) -> Flags:
    """Return all flags of a run that goes on: those that it kept, and the devices and places given anew."""
    _check_memory(given)
    ignored = [
        f"--{name.replace('_', '-')} {value} (the run has {kept.get(name)})"
        for name, value in given.items()
        if name not in (*DEVICES, *PLACES, "format", "resume") and kept.get(name) != value
    ]
    if ignored:
        log.warning("a resumed run keeps its own settings; ignored: %s", ", ".join(ignored))
    anew = {name: given[name] for name in (*DEVICES, *PLACES, "format") if name in given}
    if "data" in anew:  # it may have been a published data set's place
        anew = {**anew, "dataset": None, "data_root": anew.get("data_root")}
    if anew.get("gpus") and "cpu_devices" not in anew:
        anew["cpu_devices"] = 0
    return {**DEFAULTS, **kept, "memory": None, **anew}


def flag_words(flags: Mapping[str, Any]) -> str:
    """Return flags as they are written on the command line."""
    words = ((f"--{name.replace('_', '-')}", value) for name, value in flags.items())
    return " ".join(flag if value is True else f"{flag} {shlex.quote(str(value))}" for flag, value in words)


def settings_of(flags: Flags, network: str, levels: int) -> TrainConfig:
    """Turn flags into settings.

    Args:
        flags: of a run.
        network: its architecture's name.
        levels: of that network.

    Raises:
        UserError: for a value that cannot be meant so.
    """
    values = {name: flags[name] for name in SETTINGS if name in flags}
    values["network"] = network
    values["data_shape"] = parse_size(flags["data_shape"], "data_shape")
    values["anchors"] = _anchors(flags["anchors"], levels)
    values["random_shape"] = not flags["no_random_shape"]
    values["random_shapes"] = tuple(
        parse_size(word, "random_shapes") for word in flags["random_shapes"].split(",") if word.strip()
    )
    if isinstance(flags["lr_decay"], str):
        values["lr_decay"] = tuple(map(float, flags["lr_decay"].split(",")))
    values["lr_decay_epoch"] = _epochs(flags["lr_decay_epoch"])
    return TrainConfig(**values)


def _anchors(text: str | None, levels: int) -> Anchors | None:
    """Return a list's anchors by level; None for the network's own and for words that need the data."""
    if text is None or text in ANCHOR_WORDS:
        return None
    try:
        return by_level(parse_anchors(text), levels)
    except UserError as error:
        raise UserError(f"--{error}") from error  # they begin with: anchors


def _epochs(text: str) -> tuple[float, ...]:
    """Return decay epochs; a darknet cfg's can begin within one."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(re.fullmatch(r"\d+(\.\d*)?([eE][-+]?\d{1,2})?", word) for word in words):
        raise UserError(f"--lr-decay-epoch {text!r}: expected epochs with commas between, as 160,180")
    return tuple(int(word) if word.isdecimal() else float(word) for word in words)
