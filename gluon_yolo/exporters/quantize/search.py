"""Search of an int8 quantization with a small accuracy drop, with as few layers in float as possible."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Callable

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.exporters.quantize.backends import Int8
from gluon_yolo.exporters.quantize.calibrate import METHODS, Ranges
from gluon_yolo.exporters.quantize.scorer import Say
from gluon_yolo.exporters.quantize.sensitivity import rank, search
from gluon_yolo.exporters.request import Request, digest
from gluon_yolo.exporters.staging import StagedFiles, staged
from gluon_yolo.inference.exported_format import ENDINGS
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes.registry import Network
from gluon_yolo.progress.bar import Bar
from gluon_yolo.system import memory

BEST = "best"
LOOKED_AT = 4  # calibration images on which each layer's own error is measured
Lost = Callable[[Network], float]
Scored = Callable[[ModelRecord, Path], Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Choice:
    """A quantization of a network in one format.

    Args:
        method: of calibration.
        ranges: of the arrays.
        excluded: layers that stay in float, the one with the largest error first.
        lost: accuracy loss in percentage points against the float network.
        holds: whether the loss is small enough.
        methods: loss by calibration method, with every layer in int8.
        errors: error by layer when it alone is quantized, the largest first; empty where it was not measured.
    """

    method: str
    ranges: Ranges
    excluded: tuple[str, ...]
    lost: float
    holds: bool
    methods: Mapping[str, float]
    errors: Mapping[str, float] = dataclasses.field(default_factory=dict)


def choose(
    int8: Int8,
    reference: Network,
    images: np.ndarray,
    lost: Lost,
    allowed: float,
    method: str = "minmax",
    say: Say = print,
) -> Choice:
    """Find a quantization with an accuracy loss of at most ``allowed``.

    First all layers are in int8. If the loss is too large, each layer's own error is measured, and the layers
    with the largest errors stay in float, twice as many in each step, until the loss is small enough.

    Args:
        int8: the network in a format.
        reference: the float network.
        images: for calibration, (B, h, w, 3) uint8 RGB.
        lost: function that returns the loss of a network, pixels to boxes and scores, in percentage points.
        allowed: largest loss in percentage points.
        method: of calibration, a key of ``METHODS``, or ``best``: the best of all.
        say: function that gets messages for the user.

    Raises:
        UserError: the method is unknown, or no layer of the network can be in int8.
    """
    tried: dict[str, float] = {}
    ranges: dict[str, Ranges] = {}
    if not int8.layers:
        raise UserError(f"{int8.kind}: the network has no convolution before another, so nothing for int8")
    for name in METHODS if method == BEST else (method,):
        ranges[name] = _calibrate(int8, images, name)
        tried[name] = lost(int8.network(ranges[name], ()))
        say(f"{int8.kind} int8, {name}, all {len(int8.layers)} layers: {tried[name]:.2f} points lost")
    best = min(tried, key=lambda name: tried[name])
    if tried[best] <= allowed:
        return Choice(best, ranges[best], (), tried[best], True, tried)

    say(f"{int8.kind} int8: more than {allowed:.2f}; measuring each layer by itself")
    shown = images[:: max(1, len(images) // LOOKED_AT)][:LOOKED_AT]
    with Bar(len(int8.layers), f"{int8.kind} int8, each layer", "layer") as bar:
        errors = rank(
            int8.layers,
            lambda layer: int8.network(ranges[best], [other for other in int8.layers if other != layer]),
            reference,
            shown,
            bar.update,
        )

    def lost_with(excluded: tuple[str, ...]) -> float:
        points = lost(int8.network(ranges[best], excluded))
        kept = f"{len(excluded)} of {len(int8.layers)}"
        say(f"{int8.kind} int8, {kept} layers in float: {points:.2f} points lost")
        return points

    found = search(errors, lost_with, allowed)
    if not found.lost <= tried[best]:  # nothing was tried, or the result is worse
        return Choice(best, ranges[best], (), tried[best], False, tried, errors)
    return Choice(best, ranges[best], found.excluded, found.lost, found.holds, tried, errors)


def write(
    request: Request,
    out_dir: str | os.PathLike[str],
    made: Sequence[tuple[Int8, Choice]],
    scored: Scored = lambda record, folder: (),
) -> tuple[Path, StagedFiles]:
    """Write an int8 network in one or more formats with its record, all of them or none.

    Other int8 formats of the same model in the folder stay; those of another model with the same name are
    removed.

    Args:
        request: the network, its name, size and thresholds.
        out_dir: created when absent.
        made: the formats and their quantizations.
        scored: function of a format's record and the temporary folder of its files that returns the runtimes
            with a small enough accuracy loss, for the record.

    Returns:
        The path of ``NAME.json``, and the staged files.

    Raises:
        UserError: the folder cannot be written.
    """
    record = ModelRecord(
        request.name,
        request.net.zoo_name,
        request.net.spec,
        request.size_hw,
        precision="int8",
        weights=digest(request.net),
        fit=request.fit,
        max_detections=request.suppression.max_detections,
        max_candidates=request.suppression.own_candidates,
        best_threshold=request.best_threshold,
    )
    files = {int8.kind: [f"{request.name}{ending}" for ending in ENDINGS[int8.kind]] for int8, _ in made}
    with staged(out_dir, record, files) as coming:
        for int8, chosen in made:
            graph = int8.write(chosen.ranges, chosen.excluded, coming.aside)
            held = scored(record.of_one(int8.kind, graph), coming.aside)
            graph = dataclasses.replace(graph, runtimes=tuple(held))
            int8.hold(record.of_one(int8.kind, graph), coming.aside)
            coming.formats[int8.kind] = graph
            memory.give_back()
    return Path(out_dir) / f"{request.name}.json", coming


def _calibrate(int8: Int8, images: np.ndarray, method: str) -> Ranges:
    """Return the ranges, with a progress bar for the images and one for the ranges of ``entropy``."""
    with Bar(len(images), f"calibrate {int8.kind}", "picture") as bar:

        def progress(stage: str, done: int, total: int | None) -> None:
            if stage != "pictures" and bar.total != total:
                bar.restart(f"calibrate {int8.kind}, {stage}", total)
            bar.update(done - bar.done)

        ranges = int8.calibrate([images], method, progress)
    memory.give_back()
    return ranges
