"""Training curves: losses, scores and learning rate over the epochs, as a PNG file."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from gluon_yolo.errors import explain

_PARTS = ("objectness", "centre", "scale", "box", "class")
LOSSES = ("total", *_PARTS, *(f"teacher_{part}" for part in _PARTS))
SCORES = ("VOC07_mAP50", "VOC_mAP50", "AP", "AP50", "fitness")  # those that the table contains are drawn


def why_no_curves() -> str:
    """Return why :func:`plot_curves` cannot draw; empty when it can."""
    try:
        import matplotlib.backends.backend_agg
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        return explain(error, "matplotlib")
    return ""


def plot_curves(metrics_csv: str | Path, png: str | Path, deciding: str | None = None) -> None:
    """Draw a run's losses, mAP and learning rate over its epochs from ``metrics.csv`` into a PNG file.

    Empty cells (epochs without validation) are skipped; a table without epochs gives empty axes.

    Args:
        metrics_csv: the table.
        png: the file to write.
        deciding: the score whose best epoch is marked; None takes the first of ``SCORES`` in the table.
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
    """Set the range of the mAP axes, and mark the best epoch of the deciding score."""
    axes.set_ylim(0, 1)
    name = next((name for name in (deciding, *SCORES) if name in table), None)
    if name:
        epoch, best = max(table[name], key=lambda point: point[1])
        text = f"best {name} {best:.3f} at epoch {epoch:.0f}"
        axes.annotate(text, (0.02, 0.95), xycoords="axes fraction")
        axes.plot(epoch, best, "o", markersize=9, fillstyle="none", color="black")


def _read_columns(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Return the points (epoch, value) of each column; values that are not finite are left out."""
    table: dict[str, list[tuple[float, float]]] = {}
    with path.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            for name, text in row.items():
                value = number(text)
                if name != "epoch" and value is not None and math.isfinite(value):
                    table.setdefault(name, []).append((float(row["epoch"]), value))
    return table


def number(cell: str) -> float | None:
    """Return the number of a cell of ``metrics.csv``; None of an empty one, and of a callback's words."""
    try:
        return float(cell)
    except ValueError:
        return None
