"""Finished: what is printed for a finished run, with the command that starts a new run from its weights."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from gluon_yolo.api.train_result import TrainResult
from gluon_yolo.cli.calling import typed
from gluon_yolo.cli.flags.train import DEFAULTS, Flags, flag_words
from gluon_yolo.text import counted
from gluon_yolo.training.merge import recipe_settings
from gluon_yolo.training.run_name import name_of_run

# The command names the first two anyway; the others concern the finished run alone, or other weights.
_NOT_KEPT = frozenset(
    "network weights pretrained pretrained_base start_epoch profile memory no_random_shape".split()
)
_SIZES = ("random_shapes", "shape_interval")  # --no-random-shape excludes them


def say_finished(result: TrainResult) -> None:
    """Print that no epoch is left to train, and the command of a new run.

    Args:
        result: of a run that has no epoch left.
    """
    epochs = result.args["epochs"]
    trained = "its 1 epoch is trained" if epochs == 1 else f"all {counted(epochs, 'epoch')} are trained"
    if result.ended:
        trained = f"it ended before its {counted(epochs, 'epoch')}: {result.ended}"
    best = ""
    if result.best_score is not None:
        name = f" ({result.score_key})" if result.score_key else ""
        best = f", best score {result.best_score:.4f}{name} at epoch {result.best_epoch}"
    print(f"{result.folder}: finished: {trained}{best}; nothing is left to do")
    more = flag_words(training_on(result.args, str(result.folder)))
    again = f"gluon-yolo train --resume {shlex.quote(str(result.folder))} --epochs {2 * epochs}"
    print(typed(f"to train on, start a new run from its weights: gluon-yolo train {more}"))
    print(typed(f"or give it more epochs: {again}"))


def training_on(flags: Mapping[str, Any], run: str) -> Flags:
    """Return the flags of a new run with the same settings that starts from a run's weights.

    Args:
        flags: of the finished run.
        run: its folder.
    """
    recipe = recipe_settings(
        {name: flags[name] for name in ("recipe", "network") if flags.get(name) is not None}
    )
    usual = {**DEFAULTS, **recipe}
    kept = {
        name: flags[name]
        for name in DEFAULTS
        if name not in _NOT_KEPT and flags.get(name) not in (None, False) and flags[name] != usual[name]
    }
    if kept.get("name") == name_of_run({**flags, "name": None}, flags["network"]):
        del kept["name"]
    if flags.get("no_random_shape"):
        kept = {name: value for name, value in kept.items() if name not in _SIZES}
        if not usual["no_random_shape"]:
            kept["no_random_shape"] = True
    elif usual["no_random_shape"]:  # the recipe's default
        kept["random_shapes"] = flags["random_shapes"]
    return {"network": flags["network"], **kept, "weights": run}
