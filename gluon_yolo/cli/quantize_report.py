"""What ``quantize`` says in the end: a table, and the same as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.cli.calling import typed
from gluon_yolo.cli.flags.outputs import write_file
from gluon_yolo.inference.runtimes.registry import Network
from gluon_yolo.text import counted

ROUNDS, SECONDS = 20, 30.0  # calls of each network at most, and time for all of them
SHOWN = {"VOC07_mAP50": "VOC07 mAP50", "AP": "COCO AP", "VOC_mAP50": "agreement"}


@dataclasses.dataclass
class Row:
    """One form of a model.

    Args:
        format: of its files.
        runtime: what ran it.
        precision: in which it computes.
        method: of calibration; empty where there was none.
        numbers: its scores, 0..1, by name.
        files: their size in bytes.
        in_float: the layers that int8 left in float beside those that always are.
        milliseconds: of the network alone on one image, the median.
    """

    format: str
    runtime: str
    precision: str
    method: str
    numbers: Mapping[str, float]
    files: int
    in_float: tuple[str, ...] = ()
    milliseconds: float = float("nan")


def time_side_by_side(networks: Sequence[Network], size_hw: tuple[int, int]) -> list[float]:
    """Return the median milliseconds of networks on one image, taken in turn."""
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


def table(rows: Sequence[Row], keys: Sequence[str]) -> str:
    """Return the rows as a table: each score with what was lost against the first row.

    Args:
        rows: the first is the network in float.
        keys: of the scores to show, out of ``SHOWN``.
    """
    titles = ["format", "runs in", "precision", "method"]
    for key in keys:
        titles += [SHOWN[key], "lost"]
    cells = [[*titles, "MB", "ms", "layers in float"]]
    for row in rows:
        scores = []
        for key in keys:
            lost = 100 * (rows[0].numbers[key] - row.numbers[key])
            scores += [f"{100 * row.numbers[key]:.2f}", "" if row is rows[0] else f"{lost:.2f}"]
        name = [row.format, row.runtime, row.precision, row.method or "-"]
        kept = str(len(row.in_float)) if row.precision == "int8" else "-"
        cells.append([*name, *scores, f"{row.files / 1e6:.2f}", f"{row.milliseconds:.1f}", kept])
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    text = [
        "  ".join(
            cell.ljust(width) if column < 4 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in cells
    ]
    return "\n".join([text[0], "-" * len(text[0]), *text[1:]])


def say(
    out: Path, about: Mapping[str, Any], rows: Sequence[Row], keys: Sequence[str], missed: Sequence[str]
) -> None:
    """Print the table, what stayed in float, what is too far from float, and how to go on.

    Args:
        out: where all was written.
        about: what is in the report beside the rows.
        rows: the forms of the model, first float32.
        keys: of the scores that decide.
        missed: a sentence for each form that was not written, or scores too little.
    """
    shown = [key for key in ("VOC07_mAP50", "AP") if key in rows[0].numbers]
    print(f"\n{table(rows, keys if 'VOC_mAP50' in keys else shown)}\n")
    int8 = [row for row in rows if row.precision == "int8"]
    for row in {row.format: row for row in int8}.values():  # several runtimes may read one
        print(f"{row.format} int8, layers left in float: {', '.join(row.in_float) or 'none'}")
    if any(row.format == "symbol" for row in int8):
        print("(mxnet's files hold int8's weights as float32; it turns them into int8 when it first runs)")
    for sentence in missed:
        print(sentence)
    scored = counted(about["pictures"]["scoring"], "picture")
    print(f"{scored} scored, {about['seconds']:.0f} s in all; the table is in {out / 'report.json'}")
    folders = [out / precision for precision in dict.fromkeys(row.precision for row in rows[1:])]
    folders = [folder for folder in folders if folder.name != "float32"]
    if folders:
        first = str(folders[0])
        use = f"gluon-yolo demo --model {shlex.quote(first)} PICTURES"
        print(
            typed(
                f"the model is in {' and '.join(map(str, folders))}; use it with: {use}, or in Python: "
                f"gluon_yolo.Predictor.load({first!r})(picture)"
            )
        )


def write_report(path: Path, about: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Write the rows, and what they are about, as JSON.

    Raises:
        UserError: the file cannot be written.
    """
    content = {**about, "rows": [dataclasses.asdict(row) for row in rows]}
    write_file("--out", path, json.dumps(_plain(content), indent=2, ensure_ascii=False) + "\n")


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it; null for what is no number."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
