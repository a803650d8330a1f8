"""Evaluation: the numbers of a model on a data set, as text, as frames and as JSON."""

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
    """The result of :func:`gluon_yolo.evaluate`; ``evaluation["AP"]`` is one of its numbers.

    Args:
        numbers: the JSON of the command ``eval``: ``model``, ``data``, the settings, all metrics (with
            ``per_class``), and the speed. A number that is undefined is NaN; in COCO's metrics it is -1.
        limited: for each image in which a limit cut off detections, the best score of these.
    """

    numbers: dict[str, Any] = dataclasses.field(repr=False)
    limited: tuple[float, ...] = ()

    def __getitem__(self, name: str) -> Any:
        """Return the number with this name in ``numbers``."""
        return self.numbers[name]

    @property
    def per_class(self) -> Any:
        """A pandas frame with one row for each class; its columns have the names of the JSON.

        Raises:
            MissingDependency: pandas is not installed.
        """
        classes = self.numbers["per_class"]
        return frame(list(classes.values()), index=list(classes))

    @property
    def table(self) -> str:
        """The average precision per class, COCO's twelve numbers, and the scores at the shown threshold."""
        coco = [coco_table(self.numbers)] if "AP" in self.numbers else []
        return "\n\n".join([class_table(self.numbers), *coco, f1_table(self.numbers)])

    def text(self, name_of: Callable[[str], str] = str) -> str:
        """Return the text that ``eval`` prints.

        Args:
            name_of: returns how to print a setting: by default its name, on the command line its flag.
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
        lines.append(
            f"{images} in {speed}, input {height}x{width}, runtime {numbers['runtime']}{_tiles(numbers)}"
        )
        return [*lines, f1_line(numbers), headline(numbers)]

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the numbers as JSON, with null for undefined ones; write them to a file if one is named.

        Args:
            path: of the file. None writes none.

        Raises:
            NotWritten: the file cannot be written.
        """
        text = json.dumps(_plain(self.numbers), indent=2, ensure_ascii=False) + "\n"
        if path is not None:
            with writing(Path(path), "name another place"), replacing(Path(path)) as part:
                part.write_text(text, encoding="utf-8", errors="backslashreplace")
        return text

    def __repr__(self) -> str:
        """Return the model, the data and the four mean average precisions."""
        return f"Evaluation({self.numbers['model']} on {self.numbers['data']}: {headline(self.numbers)})"

    def _repr_html_(self) -> str:
        """Return HTML for a notebook: the tables and the lines below them."""
        title = f"{self.numbers['model']} on {self.numbers['data']}"
        (header, *rows), (f1_header, *f1) = class_rows(self.numbers), f1_rows(self.numbers)
        coco = [html_table(("", "COCO", ""), coco_rows(self.numbers))] if "AP" in self.numbers else []
        tables = [html_table(header, rows, title), *coco, html_table(f1_header, f1)]
        return "".join([*tables, html_lines("\n".join(self._lines(str)))])


def _tiles(numbers: dict[str, Any]) -> str:
    """Return how the images were cut, to follow a line; empty where they were not."""
    if "tile" not in numbers:
        return ""
    height, width = numbers["tile"]
    whole = " and whole" if numbers["tile_whole"] else ""
    return f", tiles {height}x{width}, overlap {numbers['overlap']:g}{whole}"


def _plain(value: Any) -> Any:
    """Return a value in a form that JSON supports."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, float) and (math.isnan(value) or value < 0):
        return None
    return value
