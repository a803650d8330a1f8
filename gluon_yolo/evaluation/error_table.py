"""Tables of errors as text: the confusion matrix, and what each kind of error costs."""

from __future__ import annotations

from typing import Any

from gluon_yolo.evaluation.confusion import BACKGROUND
from gluon_yolo.evaluation.error_kinds import KINDS, SUMS
from gluon_yolo.evaluation.table import Rows, cell, ruled
from gluon_yolo.text import counted

FEW_CLASSES = 10  # with more, the most frequent confusions are listed
WIDEST = 110  # characters of a matrix
LISTED = 10  # confusions

# kind of error: what it means
MEANINGS = {
    "class": "right place, wrong class",
    "location": "right class, IoU from 0.1 to 0.5",
    "both": "wrong class, IoU from 0.1 to 0.5",
    "duplicate": "a better detection has the object",
    "background": "IoU up to 0.1 with every object",
    "missed": "objects that no detection is near",
    "false_positives": "all wrong detections, ranked last",
    "false_negatives": "all objects that are not found, left out",
}


def confusion_table(numbers: dict[str, Any]) -> str:
    """Return the confusion matrix of few classes; of many, the most frequent confusions, a line each.

    Args:
        numbers: of an evaluation, with ``confusion``.
    """
    rows = matrix_rows(numbers)
    if rows:
        table = ruled(rows)
        if table.index("\n") <= WIDEST:
            return table
    return _listed(numbers)


def matrix_rows(numbers: dict[str, Any]) -> Rows:
    """Return the cells of the confusion matrix: titles, a row per annotated class, the background.

    It is empty for more than ``FEW_CLASSES`` classes.
    """
    names = [*numbers["per_class"], None]
    if len(names) > FEW_CLASSES + 1:
        return []
    counts = {(each["annotated"], each["detected"]): each["count"] for each in numbers["confusion"]}
    titles = [f"score > {numbers['F1_threshold']:g}, found as", *map(_label, names)]
    rows = [[_label(row), *(cell(counts.get((row, column), 0)) for column in names)] for row in names]
    rows[-1][-1] = "-"  # background as background
    return [titles, *rows]


def confused_rows(numbers: dict[str, Any]) -> Rows:
    """Return the most frequent confusions of two classes: titles, then annotated, detected, count."""
    pairs = _confused(numbers)[:LISTED]
    titles = ["most often confused", "with", "objects"]
    return [titles, *([pair["annotated"], pair["detected"], cell(pair["count"])] for pair in pairs)]


def _listed(numbers: dict[str, Any]) -> str:
    pairs = _confused(numbers)
    above = f"score > {numbers['F1_threshold']:g}"
    if not pairs:
        return f"{above}: no object is detected as another class"
    titles, *rows = confused_rows(numbers)
    widths = [max(len(row[column]) for row in (titles, *rows)) for column in range(3)]
    lines = [f"{a:{widths[0]}}  {b:{widths[1]}}  {count:>{widths[2]}}" for a, b, count in (titles, *rows)]
    more = len(pairs) - len(rows)
    last = [f"{above}; {counted(more, 'more pair')} of classes"] if more else [above]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], *last])


def _confused(numbers: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        each
        for each in numbers["confusion"]
        if None not in (each["annotated"], each["detected"]) and each["annotated"] != each["detected"]
    ]


def _label(name: str | None) -> str:
    return BACKGROUND if name is None else name


def error_table(numbers: dict[str, Any]) -> str:
    """Return what each kind of error costs: name, errors, AP50 lost, meaning; a line each.

    Args:
        numbers: of an evaluation, with ``errors``.
    """
    rows = error_rows(numbers)
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f"{name:{widths[0]}}  {count:>{widths[1]}}  {lost:>{widths[2]}}  {meaning}".rstrip()
        for name, count, lost, meaning in rows
    ]
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1 : len(KINDS) + 1], rule, *lines[len(KINDS) + 1 :]])


def error_rows(numbers: dict[str, Any]) -> Rows:
    """Return the cells of :func:`error_table`: titles, a row for each kind, a row for each of both sums."""
    errors = numbers["errors"]
    titles = ["kind of error", "errors", "AP50 lost", f"AP50 is {cell(errors['AP50']).strip()}"]
    return [
        titles,
        *(
            [
                kind.replace("_", " "),
                cell(errors[kind]["count"]),
                cell(errors[kind]["AP50_lost"]),
                MEANINGS[kind],
            ]
            for kind in (*KINDS, *SUMS)
        ),
    ]
