"""Pictures for people: pictures laid out on a sheet, curves of a training run; ``drawing`` draws boxes.

Pictures are (H, W, 3) uint8 RGB throughout.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gluon_yolo.atomic import writing
from gluon_yolo.drawing import FONT, WHITE, colour_of, draw, printable
from gluon_yolo.errors import UserError
from gluon_yolo.inference.fit import Fit
from gluon_yolo.missing import explain

__all__ = [
    "FONT",
    "WHITE",
    "colour_of",
    "draw",
    "plot_curves",
    "printable",
    "sheet",
    "why_no_curves",
    "write_picture",
]

LOSSES = ("total", "objectness", "centre", "scale", "box", "class")
SCORES = ("VOC07_mAP50", "VOC_mAP50", "AP", "AP50", "fitness")  # those that the table has


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


def why_no_curves() -> str:
    """Say what keeps :func:`plot_curves` from drawing; nothing where it can."""
    try:
        import matplotlib.backends.backend_agg
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        return explain(error, "matplotlib")
    return ""


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
