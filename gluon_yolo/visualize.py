"""Pictures for people: boxes drawn on a picture, pictures laid out on a sheet, curves of a training run.

Pictures are (H, W, 3) uint8 RGB throughout.
"""

from __future__ import annotations

import colorsys
import csv
import math
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gluon_yolo.atomic import writing
from gluon_yolo.errors import UserError
from gluon_yolo.inference.fit import Fit
from gluon_yolo.structures import Detections

LOSSES = ("total", "objectness", "centre", "scale", "box", "class")
SCORES = ("VOC07_mAP50", "VOC_mAP50", "AP", "AP50", "fitness")  # those that the table has
FONT = cv2.FONT_HERSHEY_SIMPLEX
WHITE = 255


def colour_of(class_id: int) -> tuple[int, int, int]:
    """Return the class's own RGB colour; neighbours are a golden section of the colour wheel apart."""
    hue = (0.02 + class_id * 0.61803398875) % 1.0
    saturation, value = (0.9, 0.65)[class_id // 8 % 2], (0.95, 0.8)[class_id // 16 % 2]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw(
    picture: np.ndarray,
    detections: Detections,
    class_names: Sequence[str],
    score_threshold: float = 0.0,
    labels: bool = True,
) -> np.ndarray:
    """Return a copy of the picture with a box and a label for each detection, the best on top.

    Args:
        picture: (H, W, 3) uint8 RGB; lines and letters grow with it.
        detections: boxes in the picture's pixels; with scores, the label shows them.
        class_names: one name per class id.
        score_threshold: detections below it are not drawn.
        labels: False draws the boxes alone.
    """
    canvas = np.ascontiguousarray(picture).copy()
    if detections.scores is not None:
        rising = np.argsort(detections.scores, kind="stable")
        detections = detections[rising[detections.scores[rising] >= score_threshold]]
    thickness = max(1, round(math.hypot(*canvas.shape[:2]) / 400))
    corners = np.round(detections.boxes).astype(int)
    for (x1, y1, x2, y2), class_id in zip(corners.tolist(), detections.class_ids.tolist()):
        cv2.rectangle(canvas, (x1, y1), (x2, y2), colour_of(class_id), thickness)
    for i in range(len(detections) if labels else 0):
        class_id = int(detections.class_ids[i])
        text = printable(class_names[class_id], class_id)
        if detections.scores is not None:
            text = f"{text} {detections.scores[i]:.2f}"
        _write_label(canvas, text, corners[i].tolist(), colour_of(class_id), thickness)
    return canvas


def _write_label(
    canvas: np.ndarray, text: str, corners: list[int], colour: tuple[int, int, int], thickness: int
) -> None:
    """Write a label on a plate in the box's colour: above the box where there is room, else in its top."""
    scale = max(0.4, 0.22 + 0.18 * thickness)
    stroke = max(1, round(scale * 1.6))
    (width, height), below = cv2.getTextSize(text, FONT, scale, stroke)
    margin = max(2, thickness)
    plate_w, plate_h = width + 2 * margin, height + below + margin
    left = max(0, min(corners[0] - thickness // 2, canvas.shape[1] - plate_w))
    top = corners[1] - plate_h if corners[1] >= plate_h else max(0, corners[1])
    top = max(0, min(top, canvas.shape[0] - plate_h))
    cv2.rectangle(canvas, (left, top), (left + plate_w - 1, top + plate_h - 1), colour, cv2.FILLED)
    bright = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 140
    ink = (0, 0, 0) if bright else (WHITE, WHITE, WHITE)
    origin = (left + margin, top + margin // 2 + height)
    cv2.putText(canvas, text, origin, FONT, scale, ink, stroke, cv2.LINE_AA)


def printable(name: str, class_id: int) -> str:
    """Return the name in letters that OpenCV's font has, or the class's number when it has none of them."""
    letters = [letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter)]
    plain = "".join(letters).encode("ascii", "replace").decode()
    return plain if any(letter.isalnum() for letter in plain) else f"#{class_id}"


def sheet(
    pictures: Sequence[np.ndarray], columns: int = 4, cell_hw: tuple[int, int] | None = None, gap: int = 4
) -> np.ndarray:
    """Lay pictures (H, W, 3) of any sizes out in rows on one white picture, each whole in its cell.

    Args:
        pictures: at least one.
        columns: pictures in a row.
        cell_hw: size of a cell in pixels; that of the largest picture, but 480 at most on a side, when None.
        gap: white pixels between cells and around them.

    Raises:
        ValueError: when there is no picture.
    """
    if not len(pictures):
        raise ValueError("pictures: expected at least one")
    if cell_hw is None:
        largest = max((picture.shape[:2] for picture in pictures), key=lambda hw: hw[0] * hw[1])
        shrink = min(1.0, 480 / max(largest))
        cell_hw = (max(1, round(largest[0] * shrink)), max(1, round(largest[1] * shrink)))
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    step_y, step_x = cell_hw[0] + gap, cell_hw[1] + gap
    canvas = np.full((rows * step_y + gap, columns * step_x + gap, 3), WHITE, dtype=np.uint8)
    for i, picture in enumerate(pictures):
        top, left = gap + i // columns * step_y, gap + i % columns * step_x
        canvas[top : top + cell_hw[0], left : left + cell_hw[1]] = Fit("letterbox")(picture, cell_hw)[0]
    return canvas


def write_picture(path: str | Path, picture: np.ndarray) -> None:
    """Write a picture (H, W, 3) as the file that its name's ending says, ``.jpg`` or ``.png``.

    Raises:
        UserError: when the place cannot be written, or OpenCV knows no such ending.
    """
    path = Path(path)
    try:
        data = cv2.imencode(path.suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
    except cv2.error as error:
        raise UserError(f"{path}: no picture format ends with {path.suffix!r}; use .jpg or .png") from error
    with writing(path, "name another place"):
        path.write_bytes(data.tobytes())


def plot_curves(metrics_csv: str | Path, png: str | Path, deciding: str | None = None) -> None:
    """Draw a run's losses, mAP and learning rate over its epochs, from its ``metrics.csv``, into a PNG file.

    Empty cells (epochs that were not validated) are skipped; a table with no epoch yet gives empty axes.

    Args:
        metrics_csv: the table.
        png: the picture.
        deciding: the score whose best epoch is marked; the first of ``SCORES`` that the table has when None.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    table = _read_columns(Path(metrics_csv))
    figure = Figure(figsize=(15, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    losses, scores, rate = figure.subplots(1, 3)
    charts = ((losses, "loss", LOSSES), (scores, "mAP", SCORES), (rate, "learning rate", ("lr",)))
    for axes, title, names in charts:
        for name in names:
            if name in table:
                axes.plot(*zip(*table[name]), marker="." if len(table[name]) < 60 else None, label=name)
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        if axes.lines and len(names) > 1:
            axes.legend(loc="lower right" if names is SCORES else "best")
    _finish_scores(scores, table, deciding)
    if "total" in table:
        losses.set_yscale("log")
    figure.savefig(png, dpi=100)


def _finish_scores(axes: Any, table: dict[str, list[tuple[float, float]]], deciding: str | None) -> None:
    """Give the mAP axes their range, and mark the best epoch by the score that decides."""
    axes.set_ylim(0, 1)
    name = next((name for name in (deciding, *SCORES) if name in table), None)
    if name:
        epoch, best = max(table[name], key=lambda point: point[1])
        text = f"best {name} {best:.3f} at epoch {epoch:.0f}"
        axes.annotate(text, (0.02, 0.95), xycoords="axes fraction")
        axes.plot(epoch, best, "o", markersize=9, fillstyle="none", color="black")


def _read_columns(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Return each column's (epoch, value) points, those that are finite numbers."""
    table: dict[str, list[tuple[float, float]]] = {}
    with path.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            for name, text in row.items():
                if name != "epoch" and text and math.isfinite(float(text)):
                    table.setdefault(name, []).append((float(row["epoch"]), float(text)))
    return table
