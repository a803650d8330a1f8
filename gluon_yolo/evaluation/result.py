"""Evaluation: the numbers that a model has on a data set, as text, as frames and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any, Callable

from gluon_yolo.atomic_io import replacing, writing
from gluon_yolo.evaluation.table import (
    class_rows,
    class_table,
    coco_rows,
    coco_table,
    f1_line,
    f1_rows,
    f1_table,
    headline,
)
from gluon_yolo.tables import frame, html_lines, html_table
from gluon_yolo.text import counted


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """What :func:`gluon_yolo.evaluate` returns; ``evaluation["AP"]`` is one of its numbers.

    Args:
        numbers: what the command eval writes as JSON: ``model``, ``data``, how the model was asked, then all
            metrics, ``per_class`` among them, and the speed. What has no number is NaN, or COCO's -1.
        limited: for each image in which a limit cut detections off, the best score of these.
    """

    numbers: dict[str, Any] = dataclasses.field(repr=False)
    limited: tuple[float, ...] = ()

    def __getitem__(self, name: str) -> Any:
        """Return a number by its name in ``numbers``."""
        return self.numbers[name]

    @property
    def per_class(self) -> Any:
        """A pandas frame with a row for each class, its columns named as in the JSON.

        Raises:
            MissingDependency: pandas is not installed.
        """
        classes = self.numbers["per_class"]
        return frame(list(classes.values()), index=list(classes))

    @property
    def table(self) -> str:
        """Average precision per class, COCO's twelve numbers, and what the shown threshold lets through."""
        coco = [coco_table(self.numbers)] if "AP" in self.numbers else []
        return "\n\n".join([class_table(self.numbers), *coco, f1_table(self.numbers)])

    def text(self, name_of: Callable[[str], str] = str) -> str:
        """Return all that ``eval`` prints of the numbers.

        Args:
            name_of: what to call a setting, by its name: itself, or on the command line its flag.
        """
        return "\n".join([f"{self.table}\n", *self._lines(name_of)])

    def __str__(self) -> str:
        """Return :meth:`text`."""
        return self.text()

    def _lines(self, name_of: Callable[[str], str]) -> list[str]:
        """Return the lines below the tables."""
        numbers = self.numbers
        lines = []
        if self.limited:
            limit = f"{name_of('max_detections')} {numbers['max_detections']}"
            lines.append(
                f"in {counted(len(self.limited), 'picture')} {limit} cut off detections, which score "
                f"{max(self.limited):.3f} at most"
            )
        height, width = numbers["size_hw"]
        speed = f"{numbers['seconds']:.1f} s, {numbers['pictures_per_second']:.1f} a second"
        images = counted(numbers["pictures"], "picture")
        lines.append(f"{images} in {speed}, input {height}x{width}, runtime {numbers['runtime']}")
        return [*lines, f1_line(numbers), headline(numbers)]

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the numbers as JSON, null for those that do not exist, and write them where a file is named.

        Args:
            path: of the file; None writes none.

        Raises:
            NotWritten: the file cannot be written.
        """
        text = json.dumps(_plain(self.numbers), indent=2, ensure_ascii=False) + "\n"
        if path is not None:
            with writing(Path(path), "name another place"), replacing(Path(path)) as part:
                part.write_text(text, encoding="utf-8", errors="backslashreplace")
        return text

    def __repr__(self) -> str:
        """Return the model, the data and the four means."""
        return f"Evaluation({self.numbers['model']} on {self.numbers['data']}: {headline(self.numbers)})"

    def _repr_html_(self) -> str:
        """Return the tables and the lines below them, as a notebook shows them."""
        title = f"{self.numbers['model']} on {self.numbers['data']}"
        (header, *rows), (f1_header, *f1) = class_rows(self.numbers), f1_rows(self.numbers)
        coco = [html_table(("", "COCO", ""), coco_rows(self.numbers))] if "AP" in self.numbers else []
        tables = [html_table(header, rows, title), *coco, html_table(f1_header, f1)]
        return "".join([*tables, html_lines("\n".join(self._lines(str)))])


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, float) and (math.isnan(value) or value < 0):
        return None
    return value
