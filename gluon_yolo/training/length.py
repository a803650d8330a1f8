"""Length: a run that is resumed may be given more epochs, other patience, and other hours."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from gluon_yolo.errors import SettingError
from gluon_yolo.training.config import PLAIN_DEFAULTS, Args, TrainConfig
from gluon_yolo.training.run_dir import RunFolder
from gluon_yolo.training.state import Progress

LENGTH = ("epochs", "patience", "hours")


def check_epochs(given: Mapping[str, Any], kept: Mapping[str, Any], run: str) -> None:
    """Refuse fewer epochs than a run has.

    Args:
        given: the given settings in plain form.
        kept: the run's own.
        run: its folder; empty where it is not known.

    Raises:
        SettingError: ``epochs`` is given, and is less than the run's.
    """
    epochs, had = given.get("epochs"), kept.get("epochs", PLAIN_DEFAULTS["epochs"])
    if epochs is not None and epochs < had:
        weights = shlex.quote(run) if run else "RUN"
        raise SettingError(
            f"{{epochs}} {epochs}: the run has {had}, and a resumed run can only be given more: its learning "
            f"rate follows them. Leave {{epochs}} out, or start a new run from its weights: {{weights}} "
            f"{weights} {{epochs}} {epochs}"
        )


def is_over(progress: Progress, args: Mapping[str, Any], kept: Mapping[str, Any]) -> bool:
    """Return whether a resumed run has nothing left to train.

    Args:
        progress: of its checkpoint.
        args: its settings now.
        kept: its settings before.
    """
    if progress.epoch >= args["epochs"]:
        return True
    changed = any(args[name] != kept.get(name, PLAIN_DEFAULTS[name]) for name in LENGTH)
    is_longer = args["epochs"] > progress.schedule.get("total_epochs", args["epochs"])
    return bool(progress.ended) and not changed and not is_longer


def keep_length(folder: RunFolder, args: Args) -> None:
    """Write newly given epochs, patience and hours into the run's folder.

    Raises:
        UserError: the folder cannot be written.
    """
    kept = {**PLAIN_DEFAULTS, **folder.args()}
    if changed := {name: args[name] for name in LENGTH if args[name] != kept[name]}:
        folder.write_args({**kept, **changed})
        TrainConfig.from_plain({**kept, **changed}).save(folder.config)
