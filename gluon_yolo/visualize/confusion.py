"""The confusion matrix as a matplotlib figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon_yolo.errors import MissingDependency, explain

_COUNTED = 20  # labels, up to which cells have their count as text
_NAMED = 80  # labels, up to which rows and columns have names


def draw_confusion(counts: np.ndarray, labels: Sequence[str], title: str = "") -> Any:
    """Return a matplotlib figure of a confusion matrix.

    The colour of a cell is its share of the row. Up to 20 labels, cells have their counts too; with more than
    80 labels, rows and columns have no names.

    Args:
        counts: (L, L) integers, rows by annotated class, columns by detected class.
        labels: L names.
        title: above the matrix.

    Raises:
        MissingDependency: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependency(explain(error, "matplotlib")) from error
    size = len(labels)
    inches = min(14.0, 4.0 + 0.45 * min(size, _COUNTED) + 0.06 * max(0, size - _COUNTED))
    figure = Figure(figsize=(inches + 1, inches), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the row", fraction=0.046)
    axes.set(xlabel="found as", ylabel="truth", title=title)
    if size <= _NAMED:
        small = 9 if size <= _COUNTED else 5
        axes.set_xticks(range(size), labels, rotation=90, fontsize=small)
        axes.set_yticks(range(size), labels, fontsize=small)
    if size <= _COUNTED:
        for row, column in zip(*np.nonzero(counts)):
            dark = shares[row, column] > 0.5
            text: dict[str, Any] = {
                "ha": "center",
                "va": "center",
                "fontsize": 8,
                "color": "white" if dark else "black",
            }
            axes.text(column, row, f"{counts[row, column]:,}", **text)
    return figure
