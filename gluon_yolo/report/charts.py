"""Charts of a report: lines and bars."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon_yolo.report.page import Chart, Table
from gluon_yolo.report.plot import (
    COLOURS,
    ROW,
    distinct,
    new_plot,
    number,
    plain,
    short_numbers,
    source_of,
    whole_numbers,
)

_MARGIN = 70  # pixels of the axis below bars
_MARKED = 60  # a line of more points has no markers
_ROWS_IN_TABLE = 60


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of a chart.

    Args:
        name: for the legend.
        x: (N,) positions.
        y: (N,) values; points that are not finite are left out.
    """

    name: str
    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray

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
        lines: in order of importance, each in the next colour.
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
    is_log = log and min(float(y.min()) for _, _, y in drawn) > 0
    options: dict[str, Any] = {"x_range": x_range, "y_range": y_range}
    options = {key: tuple(value) for key, value in options.items() if value is not None}
    plot = new_plot(x_label, y_label, y_axis_type="log" if is_log else "linear", **options)
    if whole:
        whole_numbers(plot.xaxis)
    if not is_log:
        short_numbers(plot.yaxis)
    renderers, legend = [], []
    for place, (name, x, y) in enumerate(drawn):
        colour = COLOURS[place % len(COLOURS)]
        source = source_of({"x": x, "y": y})
        line = plot.line("x", "y", source=source, line_color=colour, line_width=2, name=plain(name))
        if whole and len(x) <= _MARKED:
            plot.scatter("x", "y", source=source, fill_color=colour, line_color=None, size=6)
        renderers.append(line)
        legend.append((name, colour))
    tips = [
        ("", "$name"),
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
    height = ROW * len(factors) + _MARGIN
    end = max([*lengths, 0.0]) * 1.05 or 1.0
    plot = new_plot(label, "", height, y_range=factors[::-1], x_range=(0, end))
    plot.ygrid.visible = False
    source = source_of({"name": factors, "value": lengths})
    bars = plot.hbar(
        y="name", right="value", height=0.7, source=source, fill_color=COLOURS[0], line_color=None
    )
    plot.add_tools(HoverTool(renderers=[bars], tooltips=[("", "@name"), (label, f"@value{{{form}}}")]))
    rows = [(name, number(value)) for name, value in zip(names, values)]
    return Chart(title, plot, (), Table(title, ("", label), rows))


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
