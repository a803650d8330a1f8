"""A flag of a training's setting, with the default of ``TrainConfig``."""

from __future__ import annotations

from typing import Any

from gluon_yolo.training.config import PLAIN_DEFAULTS


def add_setting(group: Any, *names: str, help: str, **options: Any) -> None:
    """Add a flag; its default is put at the end of ``help``, except for switches."""
    default = PLAIN_DEFAULTS.get(names[-1].lstrip("-").replace("-", "_"))
    if default is False and "nargs" not in options:
        options.update(action="store_true", default=None)
    elif default is not None and default is not False:
        help += f" (default: {default})"
        if isinstance(default, (int, float)):
            options = {"type": type(default), "metavar": "N", **options}
    group.add_argument(*names, help=help, **options)
