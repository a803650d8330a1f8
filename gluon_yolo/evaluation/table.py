"""Tables of metrics as text: rows by class, COCO's twelve values, F1 at a threshold."""

from __future__ import annotations

import math
from typing import Any

from gluon_yolo.evaluation.coco_ap import NAMES
from gluon_yolo.evaluation.wider.ground_truth import HEIGHTS
from gluon_yolo.evaluation.wider.ground_truth import SETS as WIDER_SETS
from gluon_yolo.evaluation.wider.metric import KEY as WIDER
from gluon_yolo.tables import aligned
from gluon_yolo.text import counted

Rows = list[list[str]]

# key in ``per_class`` -> column title; columns that no class has are left out
CLASS_COLUMNS = {
    "truths": "objects",
    "AP07": "VOC07 AP50",
    "AP": "VOC AP50",
    "COCO_AP50": "COCO AP50",
    "COCO_AP": "COCO AP",
}
# key in ``per_class``: key of the mean in the last row
MEANS = {"AP07": "VOC07_mAP50", "AP": "VOC_mAP50", "COCO_AP50": "AP50", "COCO_AP": "AP"}
# key of ``F1Metric``: column title
F1_COLUMNS = {
    "TP": "found",
    "FP": "wrong",
    "FN": "missed",
    "precision": "precision",
    "recall": "recall",
    "F1": "F1",
    "best_F1": "best F1",
    "best_threshold": "with score >",
}
EVERY, ALL = "IoU 0.50 to 0.95", "all objects"
COCO_MEANINGS = {
    "AP": f"average precision, {EVERY}, {ALL}",
    "AP50": f"average precision, IoU 0.50, {ALL}",
    "AP75": f"average precision, IoU 0.75, {ALL}",
    "APs": f"average precision, {EVERY}, objects under 32x32 pixels",
    "APm": f"average precision, {EVERY}, objects from 32x32 to 96x96 pixels",
    "APl": f"average precision, {EVERY}, objects over 96x96 pixels",
    "AR1": f"average recall, {EVERY}, {ALL}, 1 detection a picture",
    "AR10": f"average recall, {EVERY}, {ALL}, 10 detections a picture",
    "AR100": f"average recall, {EVERY}, {ALL}, 100 detections a picture",
    "ARs": f"average recall, {EVERY}, objects under 32x32 pixels",
    "ARm": f"average recall, {EVERY}, objects from 32x32 to 96x96 pixels",
    "ARl": f"average recall, {EVERY}, objects over 96x96 pixels",
}


def class_table(numbers: dict[str, Any]) -> str:
    """Return a table of the result of ``evaluate``: a row per class, and the means.

    A dash means no value: the class has no objects.
    """
    return ruled(class_rows(numbers))


def class_rows(numbers: dict[str, Any]) -> Rows:
    """Return the cells of :func:`class_table`: the titles, a row per class, the means."""
    per_class = numbers["per_class"]
    keys = [key for key in CLASS_COLUMNS if any(key in row for row in per_class.values())]
    rows = [["class", *(CLASS_COLUMNS[key] for key in keys)]]
    rows += [[name, *(cell(row.get(key)) for key in keys)] for name, row in per_class.items()]
    return [*rows, ["mean", *(cell(numbers.get(MEANS[key])) if key in MEANS else "" for key in keys)]]


def f1_table(numbers: dict[str, Any]) -> str:
    """Return a table of ``F1Metric``'s values: a row per class, and a row for all together.

    A dash means no value: no precision without detections, no recall without objects.
    """
    return ruled(f1_rows(numbers))


def f1_rows(numbers: dict[str, Any]) -> Rows:
    """Return the cells of :func:`f1_table`: the titles, a row per class, all together."""
    rows = [[f"score > {numbers['F1_threshold']:g}", *F1_COLUMNS.values()]]
    rows += [
        [name, *(cell(row.get(key)) for key in F1_COLUMNS)] for name, row in numbers["per_class"].items()
    ]
    return [*rows, ["together", *(cell(numbers[key]) for key in F1_COLUMNS)]]


def f1_line(numbers: dict[str, Any]) -> str:
    """Return ``F1Metric``'s values for all classes together in one line."""
    shares = ", ".join(f"{name} {cell(numbers[name]).strip()}" for name in ("precision", "recall", "F1"))
    counts = f"found {numbers['TP']}, wrong {numbers['FP']}, missed {numbers['FN']}"
    line = f"score > {numbers['F1_threshold']:g}: {shares} ({counts})"
    if not numbers["best_F1"] > 0:  # also for NaN
        return line
    return f"{line}; F1 is best, {numbers['best_F1']:.3f}, with score > {numbers['best_threshold']:.3f}"


def headline(numbers: dict[str, Any]) -> str:
    """Return the four means in one line; the two of VOC where COCO's are not there."""
    names = {
        "VOC07_mAP50": "VOC07 mAP50",
        "VOC_mAP50": "VOC mAP50",
        "AP": "COCO AP",
        "AP50": "COCO AP50",
    }
    return "  ".join(f"{name} {numbers[key]:.4f}" for key, name in names.items() if key in numbers)


def wider_line(numbers: dict[str, Any], flag: str) -> str:
    """Return WIDER FACE's three numbers in a line, and on what they were computed.

    Args:
        numbers: of an evaluation of its images.
        flag: the setting that names the official ground truth.
    """
    about = numbers[WIDER]
    values = "  ".join(f"{name} {_share(numbers[name])}" for name in WIDER_SETS)
    values += f"  AP50 of every face {_share(about['AP50'])}"
    if not about["approximate"]:
        return f"WIDER FACE: {values}, in {about['pictures']:,} of the {about['of']:,} pictures"
    heights = ", ".join(map(str, HEIGHTS))
    pictures = counted(about["pictures"], "picture", form=",")
    return (
        f"WIDER FACE, approximate, faces higher than {heights} pixels: {values}, in {pictures} (the "
        f"validation set has {about['of']:,}); {flag} DIR takes the official sets"
    )


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def ruled(rows: Rows) -> str:
    """Return rows of cells as lines, with a rule below the first and above the last."""
    lines = aligned(rows)
    rule = "-" * len(lines[0])
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def coco_table(numbers: dict[str, Any]) -> str:
    """Turn COCO's twelve numbers into a line each: name, number, meaning."""
    return "\n".join(f"{name:5}  {number}  {meaning}" for name, number, meaning in coco_rows(numbers))


def coco_rows(numbers: dict[str, Any]) -> Rows:
    """Return the cells of :func:`coco_table`: name, number, meaning."""
    return [[name, cell(numbers[name]), COCO_MEANINGS[name]] for name in NAMES]


def cell(value: Any) -> str:
    """Return a count, a value with three decimals, or a dash for no value (NaN, or COCO's -1)."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if value is not None and math.isfinite(value) and value >= 0 else "    -"
