"""Charts of a report, drawn by Bokeh in the browser: lines, bars and maps of cells.

The page sets the colours of text, axes and grids (``page.js``). The colours here are legible on a light and
on a dark background.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon_yolo.report.page import Chart, Table

COLOURS = ("#3b82f6", "#d9480f", "#059669", "#a855f7", "#b7791f", "#db2777", "#0d9488", "#737373")
_HEIGHT, _ROW, _MARGIN = 280, 24, 70  # pixels: of a chart, of a row of bars or cells, of the axis below them
_MARKED = 60  # a line of more points has no markers
_ROWS_IN_TABLE = 60
_NAME = 24  # letters of a class name on an axis


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of a chart.

    Args:
        name: for the legend.
        x: (N,) positions.
        y: (N,) values; points that are not finite are left out.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the finite points."""
        x, y = np.asarray(self.x, dtype=np.float64), np.asarray(self.y, dtype=np.float64)
        finite = np.isfinite(x) & np.isfinite(y)
        return x[finite], y[finite]


def line_chart(
    title: str,
    lines: Sequence[Line],
    x_label: str,
    y_label: str = "",
    *,
    log: bool = False,
    unit_square: bool = False,
    whole: bool = False,
    x_range: Sequence[float] | None = None,
    y_range: Sequence[float] | None = None,
) -> Chart | None:
    """Return a chart of lines over one axis; None when no line has a point.

    Args:
        title: of the chart.
        lines: in order of importance; they share the colours of :data:`COLOURS` in turn.
        x_label: of the axis below.
        y_label: of the axis on the left.
        log: whether the left axis is logarithmic, where all values are above 0.
        unit_square: whether both axes go from 0 to 1.
        whole: whether the positions are whole numbers, such as epochs.
        x_range: first and last position; None takes those of the points.
        y_range: lowest and highest value; None takes those of the points.
    """
    from bokeh.models import HoverTool

    drawn = [(line.name, *line.points()) for line in lines]
    drawn = [(name, x, y) for name, x, y in drawn if len(x)]
    if not drawn:
        return None
    if unit_square:
        x_range = y_range = (-0.01, 1.02)
    positive = min(float(y.min()) for _, _, y in drawn) > 0
    options: dict[str, Any] = {"x_range": x_range, "y_range": y_range}
    options = {key: tuple(value) for key, value in options.items() if value is not None}
    plot = _plot(x_label, y_label, y_axis_type="log" if log and positive else "linear", **options)
    if whole:
        _whole_numbers(plot.xaxis)
    renderers, legend = [], []
    for place, (name, x, y) in enumerate(drawn):
        colour = COLOURS[place % len(COLOURS)]
        data = {"x": x, "y": y, "name": [plain(name)] * len(x)}
        source = _source(data)
        line = plot.line("x", "y", source=source, line_color=colour, line_width=2)
        if len(x) <= _MARKED:
            plot.scatter("x", "y", source=source, fill_color=colour, line_color=None, size=6)
        renderers.append(line)
        legend.append((name, colour))
    tips = [
        ("", "@name"),
        (x_label, "@x{0,0}" if whole else "@x{0.000}"),
        (y_label or "value", "@y{0.0000[00]}"),
    ]
    plot.add_tools(HoverTool(renderers=renderers, tooltips=tips, mode="mouse", line_policy="nearest"))
    return Chart(title, plot, legend if len(legend) > 1 else (), _table(title, x_label, drawn))


def bar_chart(
    title: str, names: Sequence[str], values: Sequence[float], label: str, form: str = "0,0[.]000"
) -> Chart | None:
    """Return a chart of horizontal bars, the first on top; None when there is none.

    Args:
        title: of the chart.
        names: of the bars, each another one.
        values: their lengths; one that is not finite counts as 0.
        label: what the length means.
        form: Bokeh's number format for the value that the pointer shows.
    """
    from bokeh.models import HoverTool

    if not len(names):
        return None
    factors = distinct(names)
    lengths = [value if math.isfinite(value) else 0.0 for value in map(float, values)]
    height = _ROW * len(factors) + _MARGIN
    end = max([*lengths, 0.0]) * 1.05 or 1.0
    plot = _plot(label, "", height, y_range=factors[::-1], x_range=(0, end))
    plot.ygrid.visible = False
    source = _source({"name": factors, "value": lengths})
    bars = plot.hbar(
        y="name", right="value", height=0.7, source=source, fill_color=COLOURS[0], line_color=None
    )
    plot.add_tools(HoverTool(renderers=[bars], tooltips=[("", "@name"), (label, f"@value{{{form}}}")]))
    rows = [(name, number(value)) for name, value in zip(names, values)]
    return Chart(title, plot, (), Table(title, ("", label), rows))


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
    plot = _plot(
        x_label,
        y_label,
        x_axis_type=kind,
        y_axis_type=kind,
        x_range=(float(x_edges[0]), float(x_edges[-1])),
        y_range=y_range[::-1] if downwards else y_range,
    )
    strength = 0.15 + 0.85 * np.sqrt(counts / max(1, counts.max(initial=1)))
    data = {"left": x_edges[columns], "right": x_edges[columns + 1], "bottom": y_edges[rows]}
    data.update(top=y_edges[rows + 1], count=counts, alpha=strength)
    cells = plot.quad(
        left="left",
        right="right",
        bottom="bottom",
        top="top",
        source=_source(data),
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
    height = max(_HEIGHT, _ROW * len(rows) + 120)
    plot = _plot(column_word, row_word, height, x_range=across, y_range=down[::-1])
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
    source = _source(data)
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


def _plot(x_label: str, y_label: str, height: int = _HEIGHT, **options: Any) -> Any:
    """Return an empty figure that is as wide as its place on the page."""
    from bokeh.plotting import figure

    plot = figure(
        height=height,
        sizing_mode="stretch_width",
        toolbar_location=None,
        tools="",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        min_border_right=12,
        **options,
    )
    plot.xaxis.axis_label, plot.yaxis.axis_label = plain(x_label) or None, plain(y_label) or None
    plot.axis.axis_label_text_font_style = "normal"
    plot.grid.grid_line_alpha = 0.7
    return plot


def _source(data: dict[str, Any]) -> Any:
    from bokeh.models import ColumnDataSource

    return ColumnDataSource(data)


def _whole_numbers(axis: Any) -> None:
    """Keep the ticks of an axis at whole numbers."""
    from bokeh.models import BasicTicker, NumeralTickFormatter

    axis.ticker = BasicTicker(min_interval=1, mantissas=[1, 2, 5])
    axis.formatter = NumeralTickFormatter(format="0,0")


def _table(title: str, x_label: str, drawn: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> Table | None:
    """Return the values of lines at their common positions; None where the lines share no positions."""
    _, first, _ = max(drawn, key=lambda line: len(line[1]))
    if any(not np.isin(x, first).all() for _, x, _ in drawn):
        return None
    picked = np.unique(np.linspace(0, len(first) - 1, min(len(first), _ROWS_IN_TABLE)).astype(int))
    known = [dict(zip(x.tolist(), y.tolist())) for _, x, y in drawn]
    rows = [
        (number(x), *(number(values[x]) if x in values else "" for values in known))
        for x in first[picked].tolist()
    ]
    return Table(title, (x_label, *(name for name, _, _ in drawn)), rows)


def number(value: float) -> str:
    """Return a number for a table: whole, or with four significant digits; a dash where it is not finite."""
    if not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def plain(name: str) -> str:
    """Return a text in which Bokeh sees no TeX, for which it would fetch MathJax from the network."""
    for mark in ("$$", "\\[", "\\("):
        name = name.replace(mark, f"{mark[0]}\u200b{mark[1]}")
    return name


def distinct(names: Sequence[str]) -> list[str]:
    """Return names for an axis: short, and each another one."""
    found: dict[str, None] = {}
    for name in names:
        short = plain(name if len(name) <= _NAME else f"{name[: _NAME - 1]}…")
        while short in found:
            short += "\u200b"
        found[short] = None
    return list(found)
