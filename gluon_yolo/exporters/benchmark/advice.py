"""How to write and use the fastest form of a model, as a command or in Python."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from gluon_yolo.exporters.benchmark.forms import cut_of
from gluon_yolo.exporters.benchmark.result import Row
from gluon_yolo.exporters.source_model import Model, PathLike
from gluon_yolo.inference.model_path import read_model


def use_of(best: Row, model: Model, data: PathLike | None, size_hw: tuple[int, int] | None) -> str:
    """Return how to write a form of a model, or how to use it where it is a file already.

    Args:
        best: the form.
        model: that was measured.
        data: that it was scored on, if any.
        size_hw: the input size that was asked for; None where it is the model's own.
    """
    path = getattr(model, "folder", model)
    if not isinstance(path, (str, os.PathLike)):
        return f"write it with {_call(best, size_hw)}"
    word = shlex.quote(os.fspath(path))
    size = "" if size_hw is None else f" --size {size_hw[0]}x{size_hw[1]}"
    if not read_model(Path(path))[0].is_run:
        return f"use it with: gluon-yolo demo --model {word} --runtime {best.runtime}{size} PICTURES"
    if best.precision == "int8":
        given = shlex.quote(os.fspath(data)) if data is not None else "DATA"
        words = f"{word} --data {given} --format {best.format}{size}"
        return f"write it with: gluon-yolo quantize {words} --out small"
    cut = cut_of(best.format)
    words = f"{word} --format {best.format}"
    words += "" if best.precision == "float32" else f" --precision {best.precision}"
    words += "" if cut is None else f" --cut {cut}"
    return f"write it with: gluon-yolo export {words}{size} --out exported"


def _call(best: Row, size_hw: tuple[int, int] | None) -> str:
    """Return the call that writes a form of a network in memory, ``net``."""
    size = "" if size_hw is None else f", size={tuple(size_hw)}"
    if best.precision == "int8":
        return f"gluon_yolo.quantize(net, data, precision='int8', formats={best.format!r}{size})"
    cut = cut_of(best.format)
    words = f"net, {best.format!r}"
    words += "" if best.precision == "float32" else f", precision={best.precision!r}"
    words += "" if cut is None else f", cut={cut!r}"
    return f"gluon_yolo.export({words}{size})"
