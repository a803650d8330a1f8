"""A page with every kind of part, from numbers that are made up."""

from __future__ import annotations

import numpy as np

from gluon_yolo.report.cells import cell_chart, matrix_chart
from gluon_yolo.report.charts import Line, bar_chart, line_chart
from gluon_yolo.report.images import embedded
from gluon_yolo.report.page import Commands, Facts, Images, Page, Section, Table, Text

# Names that a page must show as they are: markup, TeX, which Bokeh would fetch MathJax for, and a long one.
NASTY = (
    "</script><b onclick=alert(1)>",
    "$$\\frac{1}{2}$$",
    "a class with a name that is much longer than its place",
)


def every_part(**options: object) -> Page:
    """Return a page; ``options`` are those of :class:`Page`."""
    edges = np.linspace(0, 1, 5)
    log_edges = np.geomspace(0.01, 1, 5)
    counts = np.arange(16).reshape(4, 4)
    image = np.full((60, 90, 3), (200, 30, 30), dtype=np.uint8)
    lines = [Line("total", [0, 1, 2], [4.0, 2.0, 1.0]), Line(NASTY[1], [0, 2], [3.0, 0.5])]
    charts = [
        line_chart("Losses", lines, "epoch", "loss", log=True, whole=True),
        line_chart(
            "Precision over recall", [Line("all", [0, 0.5, 1], [1, 0.9, 0.2])], "recall", unit_square=True
        ),
        bar_chart("Objects of each class", NASTY, [3, 2, 0], "objects"),
        cell_chart("Sizes", counts, "width", "height", x_edges=log_edges, y_edges=log_edges, log=True),
        cell_chart("Places", counts, "x", "y", x_edges=edges, y_edges=edges, downwards=True),
        matrix_chart("Confusion", counts, [*NASTY, "none"], [*NASTY, "none"], "annotated", "detected"),
    ]
    sections = [
        Section("facts", "Facts", [Facts([("name", NASTY[0])]), Text(NASTY[0])]),
        Section("charts", "Charts", [chart for chart in charts if chart is not None]),
        Section("images", "Images", [Images([embedded(image, "red", "a red image")])]),
        Section("empty", "Nothing", []),
        Section(
            "tables",
            "Tables",
            [
                Commands([("go on", f"gluon-yolo train --resume {'a_long_name/' * 20}")]),
                Table("Classes", ("class", *range(20)), [(name, *range(20)) for name in NASTY]),
                Table("Settings", ("setting", "value"), [("augment", "x" * 200)], folded=True, text=True),
            ],
        ),
    ]
    return Page("A report", "of the tests", sections, **options)  # type: ignore[arg-type]
