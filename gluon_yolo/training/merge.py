"""Merge: the value of every setting of a new run, and its origin.

From the weakest to the strongest:

1. the defaults of :class:`~gluon_yolo.training.config.TrainConfig`;
2. the defaults of a CPU (:func:`gluon_yolo.training.memory_fit.cpu_defaults`);
3. the network's own file, such as a darknet cfg's ``[net]``;
4. a recipe;
5. the data's own file, such as darknet's ``.data``;
6. a file of settings that the user gives;
7. flags of the command line, or arguments of :func:`gluon_yolo.train`.

All values are in plain form (:mod:`gluon_yolo.training.config_forms`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, NamedTuple

from gluon_yolo.errors import SettingError, SettingText, UserError
from gluon_yolo.file_names import check_name
from gluon_yolo.inference.model_files import weights_file
from gluon_yolo.training.config import PLAIN_DEFAULTS, Args
from gluon_yolo.training.config_check import BACKBONE_WEIGHTS
from gluon_yolo.training.config_given import absolute, check_memory
from gluon_yolo.training.recipes import RECIPES
from gluon_yolo.weights.remote import canonical, is_remote

log = logging.getLogger("gluon_yolo")

_SIZES = ("random_shapes", "shape_interval")  # either of them turns random shapes on
_WEIGHTS = ("weights", "pretrained", "resume")
_OF_STEPS = ("lr_decay_epoch", "lr_decay_period")
_PARTS = {"ema_decay": "ema", "ema_ramp_up": "ema"}  # settings without effect where another one is off


class Layer(NamedTuple):
    """The settings of one origin.

    Args:
        values: in plain form.
        place_of: returns the place of a setting, such as a file and a line, for messages.
    """

    values: Mapping[str, Any] = {}
    place_of: Callable[[str], str] = str


NOTHING = Layer()


class Given(NamedTuple):
    """The settings that the user gives, in plain form.

    Args:
        words: flags or Python arguments; may include ``resume``, a weights file.
        file: the settings of a file.
        chosen: what the recipe ``auto`` chose from the data.
    """

    words: Mapping[str, Any]
    file: Layer = NOTHING
    chosen: Mapping[str, Any] = {}

    def all(self) -> Args:
        """Return both; the words override the file, also where settings of different names conflict."""
        return {**_beside(self.words, self.file.values), **self.words}

    def file_places(self) -> dict[str, str]:
        """Return the place in the file of each setting that is used from it."""
        counting = (name for name in self.file.values if name not in self.words)
        return {name: place for name in counting if (place := self.file.place_of(name))}


class Merged(NamedTuple):
    """The settings of a new run.

    Args:
        args: every setting in plain form, as in ``args.json``.
        places: the origin of each setting, for messages; without defaults and words.
    """

    args: Args
    places: Mapping[str, str]


def merge(
    given: Given,
    from_data: Layer = NOTHING,
    from_network: Layer = NOTHING,
    from_cpu: Mapping[str, Any] | None = None,
) -> Merged:
    """Return every setting of a new run, in the order of this module's docstring.

    Args:
        given: the settings that the user gives.
        from_data: the training settings of the data's own file.
        from_network: the training settings of the network's own file.
        from_cpu: the defaults of a CPU.

    Raises:
        UserError: given settings conflict, or name a file that does not exist.
    """
    given = given._replace(words=_checked(given.words))
    together = given.all()
    decided = decide(given, from_data.values)
    args = {**PLAIN_DEFAULTS, **(from_cpu or {}), **from_network.values, **decided}
    if args["name"] is not None:
        _check_name(args["name"])
    check_memory(args)
    base = args["pretrained_base"]
    if base not in BACKBONE_WEIGHTS:
        args["pretrained_base"] = canonical(base) if is_remote(base) else _file("pretrained_base", base)
    if isinstance(args["pretrained"], str):  # the weights file of a file of settings
        args["weights"], args["pretrained"] = _file("pretrained", args["pretrained"]), False
    elif together.get("resume") or together.get("pretrained"):
        args["weights"] = together.get("weights")  # given weights replace those of the data's own file
    if together.get("data") is not None:
        args["dataset"] = together.get("dataset")
    start = args.pop("resume", None)
    if start is not None:
        if args["weights"]:
            raise SettingError(
                "{resume} FILE and {weights} both name weights to start from: give one of them"
            )
        args["weights"] = absolute(start)
    return Merged(args, _places(given, from_data, from_network))


def decide(given: Given, from_data: Mapping[str, Any]) -> Args:
    """Return the settings that do not depend on the network and the device.

    Args:
        given: the settings that the user gives.
        from_data: the training settings of the data's own file.
    """
    together = given.all()
    return {**recipe_settings(together), **given.chosen, **from_data, **together}


def warn_of_idle(given: Given, args: Mapping[str, Any]) -> None:
    """Log which given settings have no effect.

    Args:
        given: the settings that the user gives.
        args: every setting of the run.
    """
    for name in _OF_STEPS:
        if name in given.words and args["lr_mode"] != "step":
            log.warning("%s", SettingText(f"{{{name}}} has no effect with {{lr_mode}} {args['lr_mode']}"))
    for name, needed in _PARTS.items():
        if name in given.words and not args[needed]:
            log.warning("%s", SettingText(f"{{{name}}} has no effect without {{{needed}}}"))


def recipe_settings(given: Mapping[str, Any]) -> Args:
    """Return the settings of a recipe; without the input size if the network is a darknet cfg.

    The cfg has an input size, and its anchors are in pixels of it.

    Raises:
        SettingError: there is no recipe with this name.
    """
    name = given.get("recipe")
    if name is None:
        return {}
    if name not in RECIPES:
        raise SettingError(f"{{recipe}} {name}: choose from {', '.join(sorted(RECIPES))}")
    settings = RECIPES[name].settings
    return {
        key: value for key, value in settings.items() if not (has_own_size(given) and key == "data_shape")
    }


def has_own_size(given: Mapping[str, Any]) -> bool:
    """Return whether the network's file has an input size: a darknet cfg, or the folder of one."""
    network = os.path.expanduser(given.get("network") or "")
    return network.endswith(".cfg") or bool(network and os.path.isfile(os.path.join(network, "network.cfg")))


def _places(given: Given, from_data: Layer, from_network: Layer) -> dict[str, str]:
    """Return the origin of each setting that is neither a default nor among the words."""
    together = given.all()
    recipe = dict.fromkeys(
        (*recipe_settings(together), *given.chosen), f"{{recipe}} {together.get('recipe')}"
    )
    places = {
        **{
            name: from_network.place_of(name)
            for name, value in from_network.values.items()
            if value != PLAIN_DEFAULTS[name]
        },
        **recipe,
        **{name: from_data.place_of(name) for name in from_data.values},
        **{name: given.file.place_of(name) for name in together if name in given.file.values},
    }
    return {name: place for name, place in places.items() if place and name not in given.words}


def _beside(words: Mapping[str, Any], file: Mapping[str, Any]) -> Args:
    """Return the settings of a file without those that conflict with the words: data, weights or sizes."""
    left = dict(file)
    if any(name in left for name in _SIZES):
        left.setdefault("no_random_shape", False)  # overrides a recipe's
    if "data" in words:
        _drop(left, "dataset", "data_root", "format")
    elif words.keys() & {"dataset", "data_root"}:
        _drop(left, "data", "format")
    if words.keys() & {*_WEIGHTS}:
        _drop(left, "weights", "pretrained")
        if left.get("pretrained_base", "auto") not in BACKBONE_WEIGHTS:
            _drop(left, "pretrained_base")
    return left


def _drop(values: Args, *names: str) -> None:
    for name in names:
        values.pop(name, None)


def _checked(words: Mapping[str, Any]) -> Args:
    """Return the checked words, in which one setting may imply another.

    Raises:
        SettingError: two of them conflict, or one is invalid.
    """
    words = dict(words)
    if any(name in words for name in _SIZES):
        if words.get("no_random_shape"):
            raise SettingError("{no_random_shape} excludes {random_shapes} and {shape_interval}: give one")
        words["no_random_shape"] = False  # overrides a recipe's
    if isinstance(words.get("pretrained"), str):
        if words.get("weights") is not None:
            raise SettingError(
                "{pretrained} FILE and {weights} both name weights to start from: give one of them"
            )
        words = {**words, "pretrained": False, "weights": _file("pretrained", words["pretrained"])}
    if words.get("weights") and words.get("pretrained_base") not in (None, *BACKBONE_WEIGHTS):
        raise SettingError(
            "{weights} and {pretrained_base} FILE both name weights to start from: give one of them"
        )
    return words


def _check_name(name: str) -> None:
    try:
        check_name(name, "{name}")
    except UserError as error:
        raise SettingError(str(error)) from error


def _file(name: str, path: str) -> str:
    """Return the absolute path of the file that a setting names.

    Raises:
        SettingError: the file does not exist.
    """
    words = f"{', '.join(BACKBONE_WEIGHTS)}, or " if name == "pretrained_base" else ""
    if not weights_file(Path(absolute(path))).exists():
        raise SettingError(f"{{{name}}} {path}: expected {words}a file, and there is none there")
    return absolute(path)
