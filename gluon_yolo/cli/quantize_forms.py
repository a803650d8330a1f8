"""The forms of a model that ``quantize`` compares: written, loaded as anybody would, and scored."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.cli.quantize_report import Row
from gluon_yolo.evaluation.accuracy_drop import AccuracyDrop
from gluon_yolo.exporters.api import export
from gluon_yolo.exporters.quantize import search
from gluon_yolo.exporters.quantize.backends import INT8
from gluon_yolo.exporters.request import Request
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes import registry
from gluon_yolo.inference.runtimes.registry import RUNTIMES, Network

SCORES = ("VOC07_mAP50", "VOC_mAP50", "AP", "AP50")
Form = tuple[Row, Network]


def in_float(request: Request, formats: Sequence[str], accuracy_drop: AccuracyDrop) -> list[Form]:
    """Return the network in float32 in these formats, written to a folder that is gone afterwards.

    Args:
        request: the network, its name, size and thresholds.
        formats: of :data:`gluon_yolo.exporters.api.FORMATS`.
        accuracy_drop: scores them; the symbol is its reference.
    """
    forms = []
    with tempfile.TemporaryDirectory() as folder:
        path = _export(request, Path(folder), formats, "float32")
        for kind in formats:
            row, network = _loaded(path, kind, "float32", "")
            row.numbers = _scores(accuracy_drop.baseline if kind == "symbol" else accuracy_drop(network))
            forms.append((row, network))
    return forms


def in_int8(
    request: Request,
    formats: Sequence[str],
    reference: Network,
    images: np.ndarray,
    accuracy_drop: AccuracyDrop,
    max_drop: float,
    method: str,
    folder: Path,
) -> tuple[list[Form], list[str]]:
    """Write the network in int8 where it loses little enough.

    Args:
        request: the network, its name, size and thresholds.
        formats: keys of ``INT8``.
        reference: the network in float.
        images: to calibrate on, (B, h, w, 3) uint8 RGB.
        accuracy_drop: scores it.
        max_drop: the points that may be lost.
        method: of calibration, or ``best``.
        folder: to write to.

    Returns:
        What was written, and a sentence for each format that was not.
    """
    made, missed = [], []
    for kind in formats:
        int8 = INT8[kind](request)
        chosen = search.choose(
            int8,
            reference,
            images,
            lambda network: accuracy_drop.lost(accuracy_drop(network)),
            max_drop,
            method,
        )
        if chosen.holds:
            made.append((int8, chosen))
        else:
            missed.append(
                f"{kind} int8 is not written: with {len(chosen.excluded)} of {len(int8.layers)} layers in "
                f"float, the best that was found, it loses {chosen.lost:.2f} points, more than "
                f"--max-drop {max_drop:.2f}; other pictures, --method best or a larger --max-drop may help"
            )
    if not made:
        return [], missed
    scores: dict[str, dict[str, Any]] = {}

    def scored(record: ModelRecord, aside: Path) -> list[str]:
        (kind,) = record.formats
        scores[kind] = score_in_each(record, aside, accuracy_drop, max_drop)
        return [runtime for runtime, own in scores[kind].items() if accuracy_drop.lost(own) <= max_drop]

    path, published = search.write(request, folder, made, scored)
    if published.removed:
        print(f"removed {', '.join(published.removed)}: {published.reason}")
    if published.kept:
        print(f"{folder}: there before, of the same weights, and not scored now: {', '.join(published.kept)}")
    forms = []
    for int8, chosen in made:
        for runtime, numbers in scores[int8.kind].items():
            row, network = _loaded(path, int8.kind, "int8", chosen.method, runtime)
            row.numbers, row.in_float = _scores(numbers), chosen.excluded
            forms.append((row, network))
    return forms, missed


def score_in_each(
    record: ModelRecord, folder: Path, accuracy_drop: AccuracyDrop, max_drop: float
) -> dict[str, Any]:
    """Score a form in each runtime that may come to run it, and say where that loses more than is allowed.

    Args:
        record: of the form, with one format.
        folder: of its files.
        accuracy_drop: scores it.
        max_drop: the points that may be lost.

    Returns:
        The numbers by runtime, first those of the one that it was quantized for.
    """
    (kind,) = record.formats
    found: dict[str, Any] = {}
    for runtime in runtimes_of(kind):
        try:
            found[runtime] = accuracy_drop(registry.load(runtime, record, folder))
        except Exception as error:  # whatever its package raises
            if runtime == RUNS_IN[kind]:
                raise
            print(f"{kind} int8 does not run in {runtime}, which `auto` then does not take: {error}")
            continue
        lost = accuracy_drop.lost(found[runtime])
        if runtime != RUNS_IN[kind] and lost > max_drop:
            print(
                f"{kind} int8 in {runtime}: {lost:.2f} points lost, more than {max_drop:.2f}; `auto` does "
                "not take it there"
            )
    return found


def runtimes_of(kind: str) -> list[str]:
    """Return the runtimes that read a format and are installed, the one that calibrates it first."""
    known = [name for name, runtime in RUNTIMES.items() if kind in runtime.formats and runtime.installed]
    return sorted(known, key=lambda name: name != RUNS_IN[kind])


def in_bfloat16(request: Request, accuracy_drop: AccuracyDrop, folder: Path) -> list[Form]:
    """Write the network in bfloat16 and score it."""
    row, network = _loaded(_export(request, folder, ["symbol"], "bfloat16"), "symbol", "bfloat16", "")
    row.numbers = _scores(accuracy_drop(network))
    return [(row, network)]


def _export(request: Request, folder: Path, formats: Sequence[str], precision: str) -> Path:
    done = export(
        request.net,
        folder,
        formats,
        request.name,
        request.size_hw,
        precision=precision,
        suppression=request.suppression,
        fit=request.fit,
    )
    if done.removed:
        print(f"removed {', '.join(done.removed)}: {done.reason}")
    assert done.record is not None
    return done.record


def _loaded(path: Path, kind: str, precision: str, method: str, runtime: str | None = None) -> Form:
    """Return a row without its numbers, and the network as a runtime reads it from its files."""
    record, runtime = ModelRecord.read(path), runtime or RUNS_IN[kind]
    files = record.exported(kind, path.parent).files
    size = sum(os.path.getsize(path.parent / file) for file in files)
    network = registry.load(runtime, record, path.parent)
    return Row(kind, runtime, precision, method, {}, size), network


def _scores(numbers: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(numbers[name]) for name in SCORES if name in numbers}


RUNS_IN = {kind: int8.runtime for kind, int8 in INT8.items()}
