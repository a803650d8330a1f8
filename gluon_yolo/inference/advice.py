"""Advice: the commands that write a missing file of a model."""

from __future__ import annotations

import shlex
from pathlib import Path


def export_command(kind: str, folder: Path, name: str, precision: str) -> str:
    """Return a command that writes a format of a model; RUN and DATA are placeholders.

    Args:
        kind: the format.
        folder: of the model's files.
        name: stem of their names; empty for the network's own name.
        precision: of the weights.
    """
    named = f" --name {shlex.quote(name)}" if name else ""
    place = f"--format {kind}{named} --out {shlex.quote(str(folder))}"
    if precision == "int8":
        return f"gluon-yolo quantize RUN --data DATA --precision int8 {place}"
    rounded = "" if precision == "float32" else f"--precision {precision} "
    return f"gluon-yolo export RUN {rounded}{place}"
