"""Evaluation: the numbers of a model on a data set, as text, as frames, as a figure and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any, Callable

from gluon_yolo.atomic_io import replacing, writing
from gluon_yolo.evaluation.curves import Curves
from gluon_yolo.evaluation.details import Details
from gluon_yolo.evaluation.error_table import (
    confused_rows,
    confusion_table,
    error_rows,
    error_table,
    matrix_rows,
)
from gluon_yolo.evaluation.ranking import ImageErrors
from gluon_yolo.evaluation.table import (
    class_rows,
    class_table,
    coco_rows,
    coco_table,
    f1_line,
    f1_rows,
    f1_table,
    headline,
    wider_line,
)
from gluon_yolo.evaluation.wider.metric import KEY as WIDER
from gluon_yolo.report.page import Section
from gluon_yolo.tables import frame, html_lines, html_table
from gluon_yolo.text import counted
from gluon_yolo.visualize.confusion import draw_confusion

_IMAGES = 10  # in a notebook


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """The result of :func:`gluon_yolo.evaluate`; ``evaluation["AP"]`` is one of its numbers.

    Args:
        numbers: the JSON of the command ``eval``: ``model``, ``data``, the settings, all metrics (with
            ``per_class``), and the speed. A number that is undefined is NaN; in COCO's metrics it is -1.
        limited: for each image in which a limit cut off detections, the best score of these.
        details: what :attr:`confusion`, :attr:`errors`, :attr:`curves`, :meth:`worst` and :meth:`best` show.
    """

    numbers: dict[str, Any] = dataclasses.field(repr=False)
    limited: tuple[float, ...] = ()
    details: Details | None = dataclasses.field(default=None, repr=False)

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
    def confusion(self) -> Any:
        """The confusion matrix as a pandas frame: a row per annotated class, a column per detected one.

        The last row has the detections without an object, the last column the objects without a detection.
        Detections above the shown threshold are counted.

        Raises:
            MissingDependency: pandas is not installed.
        """
        confusion = self._known().confusion
        matrix = frame(confusion.counts, index=list(confusion.labels))
        matrix.columns = list(confusion.labels)
        return matrix

    @property
    def errors(self) -> Any:
        """The kinds of errors over all classes as a pandas frame, with ``count`` and ``AP50_lost`` (0..1).

        Raises:
            MissingDependency: pandas is not installed.
        """
        costs = self._known().errors.together
        return frame([dataclasses.asdict(cost) for cost in costs.values()], index=list(costs))

    @property
    def errors_per_class(self) -> Any:
        """The AP50 (0..1) that errors cost as a pandas frame: a row per class, a column per kind of error.

        Raises:
            MissingDependency: pandas is not installed.
        """
        classes = self._known().errors.per_class
        rows = [{kind: cost.AP50_lost for kind, cost in costs.items()} for costs in classes.values()]
        return frame(rows, index=list(classes))

    @property
    def curves(self) -> Curves:
        """Precision, recall and F1 over the score threshold, and precision over recall."""
        return self._known().curves

    def worst(self, n: int | None = 10) -> Any:
        """Return the n images with the most errors as a pandas frame; None returns all images.

        Returns:
            A row for each image, the worst first; its index is that of the image in the data set. ``picture``
            is its name; ``TP``, ``FP`` and ``FN`` count what is found, wrong and missed at the score
            threshold with the best F1.

        Raises:
            MissingDependency: pandas is not installed.
        """
        return self._ranked(self._known().ranking.worst(n))

    def best(self, n: int | None = 10) -> Any:
        """Return the n images with the fewest errors as a pandas frame, as :meth:`worst` does.

        Raises:
            MissingDependency: pandas is not installed.
        """
        return self._ranked(self._known().ranking.best(n))

    def _ranked(self, images: list[ImageErrors]) -> Any:
        name = self._known().dataset.name
        return frame(
            [image.numbers(name(image.index)) for image in images], index=[image.index for image in images]
        )

    def plot_confusion(self) -> Any:
        """Return the confusion matrix as a matplotlib figure, which a notebook shows.

        Raises:
            MissingDependency: matplotlib is not installed.
        """
        confusion = self._known().confusion
        title = f"score > {confusion.threshold:g}, IoU from {confusion.iou:g} on"
        return draw_confusion(confusion.counts, confusion.labels, title)

    def sections(self) -> list[Section]:
        """Return the parts of :meth:`report` on the scores and the errors."""
        from gluon_yolo.evaluation.report import evaluation_sections

        return evaluation_sections(self.numbers, self._known())

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write a report: one HTML file with charts, tables, and the worst and best images.

        The file needs no network.

        Args:
            path: of the file.

        Returns:
            The path.

        Raises:
            MissingDependency: Bokeh is not installed.
            NotWritten: the file cannot be written.
        """
        from gluon_yolo.evaluation.report import evaluation_page

        evaluation_page(self.numbers, self._known()).write(Path(path))
        return Path(path)

    def _known(self) -> Details:
        """Return the details.

        Raises:
            ValueError: the evaluation was made of numbers only.
        """
        if self.details is None:
            raise ValueError("details: expected those of gluon_yolo.evaluate, got None")
        return self.details

    @property
    def table(self) -> str:
        """The average precision per class, COCO's numbers, the scores at the shown threshold, and the errors.

        The errors are the confusion matrix, or for many classes the most frequent confusions, and what each
        kind of error costs.
        """
        coco = [coco_table(self.numbers)] if "AP" in self.numbers else []
        known = "confusion" in self.numbers
        errors = [confusion_table(self.numbers), error_table(self.numbers)] if known else []
        return "\n\n".join([class_table(self.numbers), *coco, f1_table(self.numbers), *errors])

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
            limits = (key for key in ("max_detections", "max_candidates") if key in numbers)
            limit = " or ".join(f"{name_of(key)} {numbers[key]}" for key in limits)
            if "network_limit" in numbers:
                limit = f"the model's own suppression, after {numbers['network_limit']} boxes,"
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
        lines.append(f1_line(numbers))
        if WIDER in numbers:
            lines.append(wider_line(numbers, name_of("wider_ground_truth")))
        return [*lines, headline(numbers)]

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
        tables = [html_table(header, rows, title), *coco, html_table(f1_header, f1), *self._error_tables()]
        return "".join([*tables, html_lines("\n".join(self._lines(str)))])

    def _error_tables(self) -> list[str]:
        """Return HTML of the confusion matrix, the kinds of errors and the worst images."""
        if "confusion" not in self.numbers:
            return []
        header, *rows = matrix_rows(self.numbers) or confused_rows(self.numbers)
        kinds_header, *kinds = error_rows(self.numbers)
        worst = [list(image.values()) for image in self.numbers["worst"][:_IMAGES]]
        return [
            html_table(header, rows, "confusion matrix"),
            html_table(kinds_header, kinds, "errors"),
            html_table(("picture", "found", "wrong", "missed"), worst, "worst pictures"),
        ]


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
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and (math.isnan(value) or value < 0):
        return None
    return value
