"""Compare the forms of a model: write, load, score and time each beside the float network."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

import numpy as np

from gluon_yolo.errors import SettingText
from gluon_yolo.evaluation.accuracy_drop import AccuracyDrop
from gluon_yolo.exporters.api import export
from gluon_yolo.exporters.quantize import search
from gluon_yolo.exporters.quantize.backends import INT8
from gluon_yolo.exporters.quantize.quantized import Row
from gluon_yolo.exporters.quantize.scorer import Say
from gluon_yolo.exporters.request import Request
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes import registry
from gluon_yolo.inference.runtimes.registry import RUNTIMES, Network
from gluon_yolo.system import memory

ROUNDS, SECONDS = 20, 30.0  # largest number of calls of each network, and time limit for all of them
SCORES = ("VOC07_mAP50", "VOC_mAP50", "AP", "AP50")
# A form that is loaded where it is needed: all forms of a large network together take gigabytes.
Form = tuple[Row, Callable[[], Network]]


def in_float(
    request: Request, formats: Sequence[str], accuracy_drop: AccuracyDrop, folder: Path, say: Say
) -> list[Form]:
    """Write the float32 network in formats, and score them.

    Args:
        request: the network, its name, size and thresholds.
        formats: of :data:`gluon_yolo.exporters.api.FORMATS`.
        accuracy_drop: scores them; the symbol is its reference.
        folder: to write to, where the files stay until they are timed.
        say: called with each line for the user.
    """
    forms = []
    path = _export(request, folder, formats, "float32", say)
    for kind in formats:
        row, load = _form(path, kind, "float32", "")
        row.numbers = _scores(accuracy_drop.baseline if kind == "symbol" else accuracy_drop(load()))
        memory.give_back()
        forms.append((row, load))
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
    say: Say,
) -> tuple[list[Form], list[SettingText]]:
    """Write the network in int8 where the accuracy drop is small enough.

    Args:
        request: the network, its name, size and thresholds.
        formats: keys of ``INT8``.
        reference: the float network.
        images: to calibrate on, (B, h, w, 3) uint8 RGB.
        accuracy_drop: scores it.
        max_drop: the points that it may lose.
        method: of calibration, or ``best``.
        folder: to write to.
        say: called with each line for the user.

    Returns:
        The written forms, and a sentence for each format that was not written.
    """
    made: list[tuple[Any, search.Choice]] = []
    missed: list[SettingText] = []
    for kind in formats:
        int8 = INT8[kind](request)
        memory.give_back()  # what reading the network's graph has left
        chosen = search.choose(
            int8,
            reference,
            images,
            lambda network: accuracy_drop.lost(accuracy_drop(network)),
            max_drop,
            method,
            say,
        )
        int8.forget()
        memory.give_back()
        if chosen.holds:
            made.append((int8, chosen))
        else:
            text = (
                f"{kind} int8 is not written: with {len(chosen.excluded)} of {len(int8.layers)} layers in "
                f"float, the best that was found, it loses {chosen.lost:.2f} points, more than "
                f"{{max_drop}} {max_drop:.2f}; other pictures, {{method}} best or a larger {{max_drop}} may "
                "help"
            )
            missed.append(SettingText(text))
    if not made:
        return [], missed
    scores: dict[str, dict[str, Any]] = {}

    def scored(record: ModelRecord, aside: Path) -> list[str]:
        (kind,) = record.formats
        scores[kind] = score_in_each(record, aside, accuracy_drop, max_drop, say)
        return [runtime for runtime, own in scores[kind].items() if accuracy_drop.lost(own) <= max_drop]

    path, published = search.write(request, folder, made, scored)
    if published.removed:
        say(f"removed {', '.join(published.removed)}: {published.reason}")
    if published.kept:
        say(f"{folder}: there before, of the same weights, and not scored now: {', '.join(published.kept)}")
    forms = []
    for int8, chosen in made:
        for runtime, numbers in scores[int8.kind].items():
            row, load = _form(path, int8.kind, "int8", chosen.method, runtime)
            row.numbers, row.in_float = _scores(numbers), chosen.excluded
            forms.append((row, load))
    return forms, missed


def score_in_each(
    record: ModelRecord, folder: Path, accuracy_drop: AccuracyDrop, max_drop: float, say: Say
) -> dict[str, Any]:
    """Score a form in each runtime that can run it; tell the user where it loses more than is allowed.

    Args:
        record: of the form, with one format.
        folder: of its files.
        accuracy_drop: scores it.
        max_drop: the points that it may lose.
        say: called with each line for the user.

    Returns:
        The numbers by runtime; the runtime that the form was quantized for is first.
    """
    (kind,) = record.formats
    found: dict[str, Any] = {}
    for runtime in runtimes_of(kind):
        try:
            found[runtime] = accuracy_drop(registry.load(runtime, record, folder))
        except Exception as error:  # each runtime's package raises errors of its own
            if runtime == RUNS_IN[kind]:
                raise
            say(f"{kind} int8 does not run in {runtime}, which `auto` then does not take: {error}")
            continue
        lost = accuracy_drop.lost(found[runtime])
        if runtime != RUNS_IN[kind] and lost > max_drop:
            say(
                f"{kind} int8 in {runtime}: {lost:.2f} points lost, more than {max_drop:.2f}; `auto` does "
                "not take it there"
            )
    return found


def too_far(rows: Sequence[Row], accuracy_drop: AccuracyDrop, max_drop: float) -> list[SettingText]:
    """Return a sentence for each form that loses more than is allowed in the runtime it was made for."""
    lost = {
        (row.format, row.precision): accuracy_drop.lost(row.numbers)
        for row in rows
        if row.precision != "float32" and row.runtime == RUNS_IN[row.format]
    }
    return [
        SettingText(f"{kind} {precision} loses {points:.2f} points, more than {{max_drop}} {max_drop:.2f}")
        for (kind, precision), points in lost.items()
        if points > max_drop
    ]


def runtimes_of(kind: str) -> list[str]:
    """Return the installed runtimes that read a format; the one that calibrates it is first."""
    reading = {name: runtime for name, runtime in RUNTIMES.items() if kind in runtime.formats}
    known = [name for name, runtime in reading.items() if runtime.installed and not runtime.for_gpus]
    return sorted(known, key=lambda name: name != RUNS_IN[kind])


def in_bfloat16(request: Request, accuracy_drop: AccuracyDrop, folder: Path, say: Say) -> list[Form]:
    """Write the network in bfloat16 and score it."""
    row, load = _form(_export(request, folder, ["symbol"], "bfloat16", say), "symbol", "bfloat16", "")
    row.numbers = _scores(accuracy_drop(load()))
    return [(row, load)]


def time_forms(forms: Sequence[Form], size_hw: tuple[int, int]) -> None:
    """Set the milliseconds of each form: those of one format side by side, one format after the other."""
    for kind in dict.fromkeys(row.format for row, _ in forms):
        memory.give_back()
        group = [form for form in forms if form[0].format == kind]
        times = time_side_by_side([load() for _, load in group], size_hw)
        for (row, _), took in zip(group, times):
            row.milliseconds = took


def time_side_by_side(networks: Sequence[Network], size_hw: tuple[int, int]) -> list[float]:
    """Return the median milliseconds of each network on one image; the networks run in turn."""
    pixels = np.random.default_rng(0).integers(0, 256, (1, *size_hw, 3), dtype=np.uint8)
    for network in networks:
        for _ in range(2):
            network(pixels)
    spent: list[list[float]] = [[] for _ in networks]
    end = time.perf_counter() + SECONDS
    for number in range(ROUNDS):
        if number >= 3 and time.perf_counter() > end:
            break
        for network, times in zip(networks, spent):
            start = time.perf_counter()
            network(pixels)
            times.append((time.perf_counter() - start) * 1e3)
    return [float(np.median(times)) for times in spent]


def _export(request: Request, folder: Path, formats: Sequence[str], precision: str, say: Say) -> Path:
    done = export(
        request.net,
        folder,
        formats,
        request.name,
        request.size_hw,
        precision=precision,
        suppression=request.suppression,
        fit=request.fit,
        best_threshold=request.best_threshold,
    )
    if done.removed:
        say(f"removed {', '.join(done.removed)}: {done.reason}")
    assert done.record is not None
    return done.record


def _form(path: Path, kind: str, precision: str, method: str, runtime: str | None = None) -> Form:
    """Return a row without numbers, and a function that loads its network from the files in a runtime."""
    record, runtime = ModelRecord.read(path), runtime or RUNS_IN[kind]
    files = record.exported(kind, path.parent).files
    size = sum(os.path.getsize(path.parent / file) for file in files)
    row = Row(kind, runtime, precision, method, {}, size)
    return row, functools.partial(registry.load, runtime, record, path.parent)


def _scores(numbers: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(numbers[name]) for name in SCORES if name in numbers}


RUNS_IN = {kind: int8.runtime for kind, int8 in INT8.items()}
