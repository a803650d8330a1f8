"""The sections of an evaluation in a report: curves, confusion, kinds of errors, sizes, classes, images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

import numpy as np

from gluon_yolo.evaluation.coco_ap import NAMES
from gluon_yolo.evaluation.confusion import Confusion
from gluon_yolo.evaluation.curves import Curve, Curves
from gluon_yolo.evaluation.details import Details
from gluon_yolo.evaluation.error_kinds import KINDS
from gluon_yolo.evaluation.error_table import error_rows
from gluon_yolo.evaluation.ranking import ImageErrors
from gluon_yolo.evaluation.table import class_rows, coco_rows, f1_rows
from gluon_yolo.evaluation.wider.ground_truth import SETS as WIDER_SETS
from gluon_yolo.evaluation.wider.metric import KEY as WIDER
from gluon_yolo.report.cells import matrix_chart
from gluon_yolo.report.charts import Line, bar_chart, line_chart
from gluon_yolo.report.environment import environment_section
from gluon_yolo.report.images import pair
from gluon_yolo.report.page import Facts, Image, Images, Page, Part, Section, Table, Text
from gluon_yolo.report.plot import COLOURS

WORST, BEST = 12, 6  # images
_SAMPLES = 201  # points of a curve
_LINES = len(COLOURS) - 1  # classes with a curve of their own, beside all together
_MATRIX = 25  # classes of a confusion matrix
_CONFUSIONS = 15
_ROWS = 30  # a table with more rows is folded
_SETTINGS = ("score_threshold", "nms_threshold", "nms", "max_detections")
_SIZES = {"APs": "small, under 32x32", "APm": "medium, to 96x96", "APl": "large"}


def evaluation_sections(numbers: Mapping[str, Any], details: Details, about: str = "") -> list[Section]:
    """Return what a report shows of an evaluation.

    Args:
        numbers: of the metrics, as :func:`gluon_yolo.evaluation.evaluate.evaluate` returns them.
        details: of the same evaluation.
        about: a sentence on when it was.
    """
    note = [Text(about)] if about else []
    return [
        Section("scores", "Scores", [*note, *_scores(dict(numbers))]),
        Section("curves", "Curves", _curves(numbers, details.curves)),
        Section("confusion", "Confusion", _confusion(details.confusion)),
        Section("errors", "Kinds of errors", _errors(dict(numbers), details)),
        Section("worst", "Worst and best images", _images(details)),
    ]


def evaluation_page(numbers: Mapping[str, Any], details: Details) -> Page:
    """Return the report of an evaluation.

    Args:
        numbers: those of :class:`gluon_yolo.evaluation.result.Evaluation`.
        details: of the same evaluation.
    """
    height, width = numbers["size_hw"]
    facts: list[tuple[str, object]] = [
        ("images", f"{numbers['pictures']:,}"),
        ("input size, height x width", f"{height}x{width}"),
        ("runtime", numbers["runtime"]),
        ("time", f"{numbers['seconds']:.1f} s, {numbers['pictures_per_second']:.1f} images a second"),
        *((name, numbers[name]) for name in _SETTINGS),
    ]
    how = Section("evaluation", "Evaluation", [Facts(facts)])
    sections = [*evaluation_sections(numbers, details), how, environment_section()]
    return Page(f"Scores of {numbers['model']}", f"on {numbers['data']}", sections)


def _scores(numbers: dict[str, Any]) -> list[Part]:
    """Return the scores together, by class and by size of object."""
    together: list[tuple[str, object]] = [
        (title, _share(numbers[key]))
        for key, title in {
            "AP": "COCO AP",
            "AP50": "COCO AP50",
            "VOC_mAP50": "VOC mAP50",
            "VOC07_mAP50": "VOC07 mAP50",
            "best_F1": "best F1",
            "best_threshold": "with score above",
            "best_precision": "precision there",
            "best_recall": "recall there",
        }.items()
        if key in numbers
    ]
    if WIDER in numbers:
        kind = ", approximate" if numbers[WIDER]["approximate"] else ""
        together += [(f"WIDER FACE {name}{kind}", _share(numbers[name])) for name in WIDER_SETS]
    found = f"{numbers['TP']:,} found, {numbers['FP']:,} wrong, {numbers['FN']:,} missed"
    together.append((f"objects, score > {numbers['F1_threshold']:g}", found))
    sizes = [name for name in _SIZES if numbers.get(name, -1) >= 0]
    by_size = bar_chart(
        "COCO AP by size of object", [_SIZES[name] for name in sizes], [numbers[name] for name in sizes], "AP"
    )
    folded = len(numbers["per_class"]) > _ROWS
    parts: list[Part | None] = [Facts(together), _per_class(numbers), by_size]
    for title, rows in (
        ("Average precision of each class", class_rows(numbers)),
        ("Precision, recall and F1 of each class", f1_rows(numbers)),
        ("COCO's numbers", [["", "", ""], *coco_rows(numbers)] if set(NAMES) <= set(numbers) else []),
    ):
        if rows:
            parts.append(Table(title, rows[0], rows[1:], folded or title.startswith("COCO")))
    return [part for part in parts if part is not None]


def _per_class(numbers: Mapping[str, Any]) -> Part | None:
    """Return the bars of the classes' average precisions, the lowest first."""
    classes = numbers["per_class"]
    has_coco = any("COCO_AP" in row for row in classes.values())  # the validations of a training have none
    key, title = ("COCO_AP", "COCO AP") if has_coco else ("AP", "VOC AP50")
    known = {name: float(row.get(key, -1)) for name, row in classes.items()}
    known = {name: value for name, value in known.items() if math.isfinite(value) and value >= 0}
    lowest = sorted(known, key=lambda name: known[name])[:_ROWS]
    which = f" of the {_ROWS} lowest classes" if len(known) > _ROWS else " of each class"
    return bar_chart(f"{title}{which}", lowest, [known[name] for name in lowest], title)


def _share(value: Any) -> str:
    defined = value is not None and math.isfinite(value) and value >= 0
    return f"{value:.3f}" if defined else "-"


def _curves(numbers: Mapping[str, Any], curves: Curves) -> list[Part]:
    """Return the four charts of precision and recall."""
    objects = {name: int(row.get("truths", 0)) for name, row in numbers["per_class"].items()}
    names = [name for name in curves.class_names if objects.get(name)]
    shown = sorted(names, key=lambda name: -objects[name])[:_LINES] if len(curves.class_names) > 1 else []
    known = {"all together": curves.together, **{name: curves.of_class(name) for name in shown}}

    def chart(
        title: str, x_label: str, y_label: str, line: Callable[[Curve], tuple[Any, Any]]
    ) -> Part | None:
        lines = [Line(name, *_thinned(*line(curve))) for name, curve in known.items()]
        return line_chart(title, lines, x_label, y_label, unit_square=True)

    charts = [
        chart(
            "Precision over recall", "recall", "precision", lambda curve: (curve.recalls, curve.precisions)
        ),
        chart("F1 over the score threshold", "score", "F1", lambda curve: (curve.thresholds, curve.f1)),
        chart(
            "Precision over the score",
            "score",
            "precision",
            lambda curve: (curve.thresholds, curve.precision),
        ),
        chart("Recall over the score", "score", "recall", lambda curve: (curve.thresholds, curve.recall)),
    ]
    drawn: list[Part] = [each for each in charts if each is not None]
    if drawn and len(shown) < len(names):
        drawn.append(
            Text(f"The charts have the {len(shown)} classes with the most objects, of {len(names)}.")
        )
    return drawn


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return every few points, the first and the last one included."""
    if len(x) <= _SAMPLES:
        return x, y
    picked = np.unique(np.linspace(0, len(x) - 1, _SAMPLES).astype(int))
    return x[picked], y[picked]


def _confusion(confusion: Confusion) -> list[Part]:
    """Return the confusion matrix, of the classes most often confused where there are many."""
    counts, labels = confusion.counts, confusion.labels
    if not counts.any():
        return [Text("No object and no detection to count.")]
    classes = len(confusion.class_names)
    chosen = np.arange(classes + 1)
    title = f"Confusion matrix, score > {confusion.threshold:g}, IoU {confusion.iou:g}"
    if classes > _MATRIX:
        off = counts - np.diag(np.diag(counts))
        mistakes = (off.sum(axis=0) + off.sum(axis=1))[:classes]
        chosen = np.append(np.sort(np.argsort(-mistakes, kind="stable")[:_MATRIX]), classes)
        title += f": the {_MATRIX} classes with the most mistakes, of {classes}"
    names = [labels[place] for place in chosen]
    parts: list[Part] = [
        matrix_chart(title, counts[np.ix_(chosen, chosen)], names, names, "annotated", "detected")
    ]
    pairs = confusion.confused()[:_CONFUSIONS]
    if pairs:
        parts.append(Table("Most often confused", ("annotated", "detected as", "objects"), pairs))
    return parts


def _errors(numbers: dict[str, Any], details: Details) -> list[Part]:
    """Return where average precision is lost."""
    costs = details.errors.together
    chart = bar_chart(
        "AP50 that each kind of error costs", KINDS, [costs[kind].AP50_lost for kind in KINDS], "AP50 lost"
    )
    header, *rows = error_rows({**numbers, "errors": details.errors.numbers()})
    parts: list[Part | None] = [chart, Table("Kinds of errors (TIDE, Bolya et al. 2020)", header, rows)]
    return [part for part in parts if part is not None]


def _images(details: Details) -> list[Part]:
    """Return the images with the most and with the fewest errors, each annotated and detected."""
    worst = [each for each in details.ranking.worst(WORST) if each.wrong + each.missed]
    taken = {each.index for each in worst}
    best = [each for each in details.ranking.best(BEST) if each.found and each.index not in taken]
    threshold = details.ranking.threshold
    parts: list[Part] = []
    for title, chosen in (("The worst images", worst), ("The best images", best)):
        if chosen:
            text = f"{title}. Left: annotations. Right: detections with a score above {threshold:.3f}."
            parts += [Text(text), Images(_drawn(details, chosen, threshold))]
    return parts


def _drawn(details: Details, chosen: Sequence[ImageErrors], threshold: float) -> list[Image]:
    dataset = details.dataset
    drawn = []
    for errors in chosen:
        index = errors.index
        counts = f"{errors.found} found, {errors.wrong} wrong, {errors.missed} missed"
        drawn.append(
            pair(
                dataset.image(index),
                dataset.annotations(index),
                details.detections[index],
                dataset.class_names,
                threshold,
                f"{Path(dataset.name(index)).name}: {counts}",
            )
        )
    return drawn
