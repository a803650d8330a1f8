"""Charts: what is drawn of which numbers."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.report.cells import cell_chart, matrix_chart
from gluon_yolo.report.charts import Line, bar_chart, line_chart
from gluon_yolo.report.plot import distinct, number, plain

pytest.importorskip("bokeh", reason="Bokeh is not installed: pip install '.[report]'")
NAN, INF = float("nan"), float("inf")


def sources(chart) -> list[dict]:
    return [dict(renderer.data_source.data) for renderer in chart.model.renderers]


def test_points_that_are_not_finite_are_left_out_and_a_line_without_points_too():
    chart = line_chart(
        "L", [Line("a", [0, 1, 2], [1.0, NAN, 3.0]), Line("b", [0, 1], [INF, NAN])], "epoch", whole=True
    )
    assert [name for name, _ in chart.legend] == []  # a single line needs no legend
    line, markers = sources(chart)
    assert line["x"].tolist() == markers["x"].tolist() == [0, 2] and line["y"].tolist() == [1, 3]
    assert chart.table.header == ("epoch", "a") and chart.table.rows == [("0", "1"), ("2", "3")]
    assert line_chart("L", [Line("b", [0], [NAN]), Line("c", [], [])], "epoch") is None


@pytest.mark.parametrize("lowest, kind", [(0.5, "LogScale"), (0.0, "LinearScale"), (-1.0, "LinearScale")])
def test_a_logarithmic_axis_needs_values_above_0(lowest, kind):
    chart = line_chart("L", [Line("a", [0, 1], [10.0, lowest])], "epoch", log=True)
    assert type(chart.model.y_scale).__name__ == kind


def test_the_table_joins_lines_at_their_positions():
    lines = [Line("a", [0, 1, 2], [1, 2, 3]), Line("b", [1], [0.25])]  # b is validated at epoch 1 only
    chart = line_chart("L", lines, "epoch")
    assert chart.table.rows == [("0", "1", ""), ("1", "2", "0.25"), ("2", "3", "")]
    assert [name for name, _ in chart.legend] == ["a", "b"]
    apart = [Line("a", [0, 1], [1, 2]), Line("b", [0.5], [1])]
    assert line_chart("L", apart, "recall").table is None


def test_bars():
    chart = bar_chart("B", ["a", "b", "c"], [2, NAN, 1], "objects")
    assert sources(chart)[0] == {"name": ["a", "b", "c"], "value": [2.0, 0.0, 1.0]}
    assert list(chart.model.y_range.factors) == ["c", "b", "a"]  # the first on top
    assert chart.table.rows == [("a", "2"), ("b", "-"), ("c", "1")]
    assert bar_chart("B", [], [], "objects") is None
    assert bar_chart("B", ["a"], [0], "objects").model.x_range.end == 1


def test_cells_with_nothing_are_not_drawn():
    edges = np.array([0.0, 0.5, 1.0])
    chart = cell_chart(
        "C", np.array([[0, 4], [1, 0]]), "x", "y", x_edges=edges, y_edges=edges, downwards=True
    )
    (data,) = sources(chart)
    assert data["count"].tolist() == [4, 1]
    assert data["left"].tolist() == [0.5, 0.0] and data["bottom"].tolist() == [0.0, 0.5]
    assert data["alpha"].tolist() == pytest.approx([1.0, 0.15 + 0.85 / 2])
    assert (chart.model.y_range.start, chart.model.y_range.end) == (1.0, 0.0)
    empty = cell_chart("C", np.zeros((2, 2), int), "x", "y", x_edges=edges, y_edges=edges)
    assert len(sources(empty)[0]["count"]) == 0


def test_a_cell_of_the_matrix_is_as_strong_as_its_share_of_the_row():
    counts = np.array([[3, 1], [0, 0]])
    chart = matrix_chart("M", counts, ["a", "b"], ["a", "b"], "annotated", "detected")
    cells = sources(chart)[0]
    assert cells["count"] == [3, 1] and cells["share"] == [0.75, 0.25]
    assert cells["row"] == ["a", "a"] and cells["column"] == ["a", "b"]
    assert chart.table.rows == [("a", 3, 1), ("b", 0, 0)]


def test_names_on_an_axis_are_short_and_distinct():
    names = distinct(["a" * 40, "a" * 39, "b", "b"])
    assert len(set(names)) == 4 and max(map(len, names)) <= 26
    assert names[0] == "a" * 23 + "…" and names[2] == "b"


@pytest.mark.parametrize("name", ["$$x$$", "\\[x\\]", "\\(x\\)"])
def test_no_name_is_tex(name):
    assert not any(mark in plain(name) for mark in ("$$", "\\[", "\\("))
    assert plain(name).replace("\u200b", "") == name


@pytest.mark.parametrize(
    "value, text", [(3, "3"), (12345.0, "12,345"), (0.123456, "0.1235"), (NAN, "-"), (INF, "-"), (0, "0")]
)
def test_numbers(value, text):
    assert number(value) == text
