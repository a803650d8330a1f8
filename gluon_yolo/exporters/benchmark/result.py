"""Benchmark: the table of a model's forms, as text, frame, HTML and JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from gluon_yolo.exporters.quantize.quantized import SHOWN
from gluon_yolo.tables import aligned, frame, html_table
from gluon_yolo.text import counted


@dataclasses.dataclass(frozen=True)
class Row:
    """One form of a model.

    Args:
        runtime: that runs it.
        format: of its files.
        precision: that it computes in.
        files: the size of its files in bytes.
        milliseconds: for one image, from pixels to boxes, by number of threads.
        boxes: largest difference of a side of a box from the first row, in input pixels. None where it cannot
            be told, since the graph returns the boxes of its NMS only.
        scores: largest difference of a score, 0..1.
        numbers: its scores on the data, 0..1, by name; empty without data.
    """

    runtime: str
    format: str
    precision: str
    files: int
    milliseconds: Mapping[int, float]
    boxes: float | None
    scores: float | None
    numbers: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """The result of a benchmark. ``print(benchmark)`` shows what the command prints.

    Args:
        rows: the forms, the reference first.
        about: the model, the input size, the processor, the data.
        use: how to get and use the fastest form.
    """

    rows: tuple[Row, ...]
    about: Mapping[str, Any]
    use: str

    @property
    def threads(self) -> tuple[int, ...]:
        """The numbers of threads that were measured."""
        return tuple(self.rows[0].milliseconds)

    @property
    def fastest(self) -> Row:
        """The form with the fewest milliseconds, with the last number of threads."""
        return fastest_of(self.rows)

    @property
    def table(self) -> Any:
        """The rows as a pandas frame.

        Raises:
            MissingDependency: pandas is not installed.
        """
        return frame([self._cells(row) for row in self.rows])

    def __str__(self) -> str:
        """Return the table, and how to use the fastest form."""
        cells = [[_shown(value) for value in self._cells(row).values()] for row in self.rows]
        lines = [line.rstrip() for line in aligned([list(self._cells(self.rows[0])), *cells], words=3)]
        best = self.fastest
        last = self.threads[-1]
        threads = counted(last, "thread")
        fastest = (
            f"fastest with {threads}: {best.runtime}, {best.precision}, {_shown(best.milliseconds[last])} ms "
            "an image"
        )
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], f"{fastest}; {self.use}"])

    def _repr_html_(self) -> str:
        """Return the table in HTML, as a notebook shows it."""
        cells = [[_shown(value) for value in self._cells(row).values()] for row in self.rows]
        return html_table(tuple(self._cells(self.rows[0])), cells, str(self.about["model"]))

    def to_json(self) -> str:
        """Return all numbers as JSON."""
        rows = [dataclasses.asdict(row) for row in self.rows]
        return json.dumps({**self.about, "rows": rows}, indent=2, ensure_ascii=False) + "\n"

    def _cells(self, row: Row) -> dict[str, Any]:
        """Return the cells of a row by their titles."""
        scores = {SHOWN[key]: 100 * row.numbers[key] for key in SHOWN if key in self.rows[0].numbers}
        name = {"runs in": row.runtime, "format": row.format, "precision": row.precision}
        times = {f"ms, {counted(number, 'thread')}": took for number, took in row.milliseconds.items()}
        return {
            **name,
            **scores,
            **times,
            "MB": row.files / 1e6,
            "boxes off by": row.boxes,
            "scores off by": row.scores,
        }


def fastest_of(rows: Sequence[Row]) -> Row:
    """Return the row with the fewest milliseconds, with the last number of threads."""
    last = [*rows[0].milliseconds][-1]
    return min(rows, key=lambda row: row.milliseconds[last])


def _shown(value: Any) -> str:
    """Return a cell's text: three digits of a number, or what is not zero of it; a dash for None."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    if not isinstance(value, float):
        return str(value)
    if value < 0.001:
        return f"{value:.1e}" if value else "0"
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3}f}"
