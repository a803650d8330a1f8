"""Curves of a training run: its losses, scores and learning rate over the epochs, as a PNG file."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from gluon_yolo.errors import explain

LOSSES = ("total", "objectness", "centre", "scale", "box", "class")
SCORES = ("VOC07_mAP50", "VOC_mAP50", "AP", "AP50", "fitness")  # those that the table has


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
        png: the image.
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
