"""Plots of a report: what all charts share. Bokeh draws them in the browser.

The page sets the colours of text, axes and grids (``page.js``). The colours here are legible on a light and
on a dark background.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

COLOURS = ("#3b82f6", "#d9480f", "#059669", "#a855f7", "#b7791f", "#db2777", "#0d9488", "#737373")
HEIGHT, ROW = 280, 24  # pixels: of a chart, of a row of bars or cells
_NAME = 24  # letters of a class name on an axis


def new_plot(x_label: str, y_label: str, height: int = HEIGHT, **options: Any) -> Any:
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


def source_of(data: dict[str, Any]) -> Any:
    """Return columns of equal lengths as Bokeh takes them."""
    from bokeh.models import ColumnDataSource

    return ColumnDataSource(data)


def whole_numbers(axis: Any) -> None:
    """Keep the ticks of an axis at whole numbers."""
    from bokeh.models import BasicTicker, NumeralTickFormatter

    axis.ticker = BasicTicker(min_interval=1, mantissas=[1, 2, 5])
    axis.formatter = NumeralTickFormatter(format="0,0")


def short_numbers(axis: Any) -> None:
    """Write the ticks of an axis in few digits: 0.0015 in the place of 1.500e-3."""
    from bokeh.models import PrintfTickFormatter

    axis.formatter = PrintfTickFormatter(format="%.6g")


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
