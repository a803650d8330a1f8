"""Charts of cells in a report: maps of counts, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gluon_yolo.report.page import Chart, Table
from gluon_yolo.report.plot import COLOURS, HEIGHT, ROW, distinct, new_plot, short_numbers, source_of


def cell_chart(
    title: str,
    values: np.ndarray,
    x_label: str,
    y_label: str,
    *,
    x_edges: np.ndarray,
    y_edges: np.ndarray,
    downwards: bool = False,
    log: bool = False,
) -> Chart:
    """Return a map of counts: the more in a cell, the stronger its colour.

    Args:
        title: of the chart.
        values: (rows, columns) counts; cells with 0 are not drawn.
        x_label: of the axis below.
        y_label: of the axis on the left.
        x_edges: (columns + 1,) edges of the cells.
        y_edges: (rows + 1,) edges of the cells.
        downwards: whether the first row is on top, as in an image.
        log: whether both axes are logarithmic.
    """
    from bokeh.models import HoverTool

    rows, columns = np.nonzero(values)
    counts = values[rows, columns]
    y_range = (float(y_edges[0]), float(y_edges[-1]))
    kind = "log" if log else "linear"
    plot = new_plot(
        x_label,
        y_label,
        x_axis_type=kind,
        y_axis_type=kind,
        x_range=(float(x_edges[0]), float(x_edges[-1])),
        y_range=y_range[::-1] if downwards else y_range,
    )
    short_numbers(plot.axis)
    strength = 0.15 + 0.85 * np.sqrt(counts / max(1, counts.max(initial=1)))
    data = {"left": x_edges[columns], "right": x_edges[columns + 1], "bottom": y_edges[rows]}
    data.update(top=y_edges[rows + 1], count=counts, alpha=strength)
    cells = plot.quad(
        left="left",
        right="right",
        bottom="bottom",
        top="top",
        source=source_of(data),
        fill_color=COLOURS[0],
        fill_alpha="alpha",
        line_color=None,
    )
    tips = [
        ("objects", "@count{0,0}"),
        (x_label, "@left{0.00} to @right{0.00}"),
        (y_label, "@bottom{0.00} to @top{0.00}"),
    ]
    plot.add_tools(HoverTool(renderers=[cells], tooltips=tips))
    return Chart(title, plot)


def matrix_chart(
    title: str,
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    row_word: str,
    column_word: str,
) -> Chart:
    """Return a matrix of counts; a cell's colour is its share of its row.

    Args:
        title: of the chart.
        values: (R, C) counts.
        rows: R names, the first on top.
        columns: C names.
        row_word: what the rows are.
        column_word: what the columns are.
    """
    from bokeh.models import HoverTool

    down, across = distinct(rows), distinct(columns)
    height = max(HEIGHT, ROW * len(rows) + 120)
    plot = new_plot(column_word, row_word, height, x_range=across, y_range=down[::-1])
    plot.xaxis.major_label_orientation = 0.9
    plot.grid.visible = False
    shares = values / np.maximum(values.sum(axis=1, keepdims=True), 1)
    at = np.argwhere(values > 0)
    data = {
        "row": [down[row] for row, _ in at],
        "column": [across[column] for _, column in at],
        "count": values[at[:, 0], at[:, 1]].tolist(),
        "share": shares[at[:, 0], at[:, 1]].tolist(),
        "alpha": (0.12 + 0.73 * shares[at[:, 0], at[:, 1]]).tolist(),
    }
    source = source_of(data)
    cells = plot.rect(
        "column", "row", 0.96, 0.96, source=source, fill_color=COLOURS[0], fill_alpha="alpha", line_color=None
    )
    if len(columns) <= 12:  # more do not have room for numbers
        plot.text(
            "column",
            "row",
            text={"field": "count"},
            source=source,
            text_align="center",
            text_baseline="middle",
            text_font_size="11px",
        )
    tips = [
        (row_word, "@row"),
        (column_word, "@column"),
        ("count", "@count{0,0}"),
        ("of the row", "@share{0.0%}"),
    ]
    plot.add_tools(HoverTool(renderers=[cells], tooltips=tips))
    table = Table(
        title, [f"{row_word} \\ {column_word}", *columns], [(n, *v) for n, v in zip(rows, values.tolist())]
    )
    return Chart(title, plot, (), table, wide=len(columns) > 6)
