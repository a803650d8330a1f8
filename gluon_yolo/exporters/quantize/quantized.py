"""Quantized: the table of the written forms of a model, also as text, HTML and JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

from gluon_yolo.errors import SettingText
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.outputs import write_file
from gluon_yolo.tables import aligned, frame, html_lines, html_table
from gluon_yolo.text import counted

REPORT = "report.json"
SHOWN = {"VOC07_mAP50": "VOC07 mAP50", "AP": "COCO AP", "VOC_mAP50": "agreement"}


@dataclasses.dataclass
class Row:
    """One form of a model: a format, a precision and the runtime that ran it.

    Args:
        format: of its files.
        runtime: that ran it.
        precision: that it computes in.
        method: of calibration; empty where there was none.
        numbers: its scores, 0..1, by name.
        files: the size of its files in bytes.
        in_float: the layers that int8 left in float, without those that always are.
        milliseconds: the median time of the network on one image.
    """

    format: str
    runtime: str
    precision: str
    method: str
    numbers: Mapping[str, float]
    files: int
    in_float: tuple[str, ...] = ()
    milliseconds: float = float("nan")


@dataclasses.dataclass(frozen=True)
class Quantized:
    """The result of quantizing. ``print(quantized)`` shows what the command prints at its end.

    Args:
        folder: the output folder, with one folder for each precision, and ``report.json``.
        rows: the forms of the model, float32 first.
        keys: the names of the scores that decide.
        about: the report's facts beside the rows: model, data, images, seconds.
        missed: a sentence for each form that was not written, or loses more than is allowed.
    """

    folder: Path
    rows: tuple[Row, ...]
    keys: tuple[str, ...]
    about: Mapping[str, Any]
    missed: tuple[SettingText, ...] = ()

    @property
    def folders(self) -> dict[str, Path]:
        """The folder of each written precision, for ``Predictor.load``."""
        written = dict.fromkeys(row.precision for row in self.rows[1:] if row.precision != "float32")
        return {precision: self.folder / precision for precision in written}

    @property
    def report(self) -> Path:
        """The path of the JSON file with all numbers of the table."""
        return self.folder / REPORT

    @property
    def table(self) -> Any:
        """The rows as a pandas frame, with scores in percent, and the points lost against the first row.

        Raises:
            MissingDependency: pandas is not installed.
        """
        return frame([self._cells(row) for row in self.rows])

    def predictor(self, precision: str = "int8", **options: Any) -> Predictor:
        """Load one of the forms, as :meth:`gluon_yolo.Predictor.load` does.

        Args:
            precision: a key of :attr:`folders`.
            **options: of ``Predictor.load``.

        Raises:
            UserError: the precision was not written.
        """
        return Predictor.load(self.folder / precision, **options)

    def __str__(self) -> str:
        """Return the table, the layers in float, the forms that lose too much, and how to use the others."""
        return self.named(str)

    def named(self, name_of: Callable[[str], str]) -> str:
        """Return the same text with the settings renamed by a function, for example to flags."""
        lines = ["", text_table(self.rows, self._shown()), ""]
        int8 = [row for row in self.rows if row.precision == "int8"]
        for row in {row.format: row for row in int8}.values():  # several runtimes may run one format
            lines.append(f"{row.format} int8, layers left in float: {', '.join(row.in_float) or 'none'}")
        if any(row.format == "symbol" for row in int8):
            lines.append(
                "(mxnet's files hold int8's weights as float32; it turns them into int8 when it first runs)"
            )
        lines += [sentence.named(name_of) for sentence in self.missed]
        scored = counted(self.about["pictures"]["scoring"], "picture")
        lines.append(f"{scored} scored, {self.about['seconds']:.0f} s in all; the table is in {self.report}")
        folders = [str(folder) for folder in self.folders.values()]
        if folders:
            use = f"gluon-yolo demo --model {shlex.quote(folders[0])} PICTURES"
            lines.append(
                f"the model is in {' and '.join(folders)}; use it with: {use}, or in Python: "
                f"gluon_yolo.Predictor.load({folders[0]!r})(picture)"
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return HTML for a notebook: the table, and the forms that lose too much."""
        rows = [self._cells(row) for row in self.rows]
        cells = [[_rounded(value) for value in row.values()] for row in rows]
        missed = "\n".join(map(str, self.missed))
        return html_table(tuple(rows[0]), cells, str(self.folder)) + (html_lines(missed) if missed else "")

    def _shown(self) -> Sequence[str]:
        """Return the names of the scores to show, keys of ``SHOWN``."""
        shown = [key for key in ("VOC07_mAP50", "AP") if key in self.rows[0].numbers]
        return self.keys if "VOC_mAP50" in self.keys else shown

    def _cells(self, row: Row) -> dict[str, Any]:
        """Return one row of the frame."""
        cells: dict[str, Any] = {
            "format": row.format,
            "runtime": row.runtime,
            "precision": row.precision,
            "method": row.method,
        }
        for key in self._shown():
            cells[SHOWN[key]] = 100 * row.numbers[key]
            cells[f"{SHOWN[key]} lost"] = 100 * (self.rows[0].numbers[key] - row.numbers[key])
        size = {"MB": row.files / 1e6, "ms": row.milliseconds}
        return {**cells, **size, "layers in float": len(row.in_float)}


def text_table(rows: Sequence[Row], keys: Sequence[str]) -> str:
    """Return the rows as a text table: each score with its loss against the first row.

    Args:
        rows: the first is the float network.
        keys: the names of the scores to show, keys of ``SHOWN``.
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
    text = [line.rstrip() for line in aligned(cells, words=4)]
    return "\n".join([text[0], "-" * len(text[0]), *text[1:]])


def write_report(quantized: Quantized) -> None:
    """Write the rows and the report's other facts as JSON.

    Raises:
        UserError: the file cannot be written.
    """
    content = {**quantized.about, "rows": [dataclasses.asdict(row) for row in quantized.rows]}
    text = json.dumps(_plain(content), indent=2, ensure_ascii=False) + "\n"
    write_file("{out}", quantized.report, text)


def _plain(value: Any) -> Any:
    """Return a value in a form that JSON supports, with null for NaN and infinity."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _rounded(value: Any) -> Any:
    return f"{value:.2f}" if isinstance(value, float) else value
