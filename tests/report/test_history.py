"""The curves of a training, from the rows of metrics.csv and from the losses by step."""

from __future__ import annotations

import pytest

from gluon_yolo.report.history import history_section
from gluon_yolo.report.page import Chart, Table

pytest.importorskip("bokeh", reason="Bokeh is not installed: pip install '.[report]'")


def row(epoch: int, **cells: str) -> dict[str, str]:
    losses = {"objectness": "2", "box": "1", "total": "3"}
    return {"epoch": str(epoch), "lr": "0.1", **losses, "seconds": "9", "pictures_per_second": "5", **cells}


def charts(section) -> dict[str, Chart]:
    return {part.title: part for part in section.parts if isinstance(part, Chart)}


def names(chart: Chart) -> list[str]:
    return [name for name, _ in chart.legend]


def test_what_is_drawn_of_the_rows():
    rows = [row(0, AP="0.1", AP50="0.3"), row(1, AP="", AP50="", total="nan"), row(2, AP="0.2", AP50="0.4")]
    drawn = charts(history_section(rows, score_key="AP50"))
    assert list(drawn) == ["Losses by epoch", "Mean average precision", "Learning rate", "Speed"]
    assert names(drawn["Losses by epoch"]) == ["total", "objectness", "box"]
    assert names(drawn["Mean average precision"]) == ["AP50", "AP"]  # the deciding one first
    assert drawn["Losses by epoch"].table.rows[1] == ("1", "", "2", "1")  # a loss that is no number
    assert drawn["Mean average precision"].table.rows == [("0", "0.3", "0.1"), ("2", "0.4", "0.2")]


@pytest.mark.parametrize(
    "rates, kind",
    [(["0.1", "0.001"], "LogScale"), (["0.1", "0.09"], "LinearScale"), (["0.1", "0"], "LinearScale")],
)
def test_a_rate_that_falls_far_has_a_logarithmic_axis(rates, kind):
    drawn = charts(history_section([row(epoch, lr=rate) for epoch, rate in enumerate(rates)]))
    assert type(drawn["Learning rate"].model.y_scale).__name__ == kind


def test_the_table_of_epochs_begins_with_the_last_one():
    section = history_section([row(0), row(1, AP="0.5")])
    (table,) = (part for part in section.parts if isinstance(part, Table))
    assert table.folded and table.header[0] == "epoch" and table.header[-1] == "AP"
    assert [cells[0] for cells in table.rows] == ["1", "0"] and table.rows[1][-1] == ""


def test_steps_are_there_before_the_first_epoch_is_whole():
    steps = {"step": [1, 2], "lr": [0.1, 0.2], "total": [9.0, 5e30], "box": [4.0, 5e30]}
    drawn = charts(history_section([], steps))
    assert list(drawn) == ["Losses by step", "Learning rate by step"]
    assert names(drawn["Losses by step"]) == ["total", "box"]
    later = charts(history_section([row(0)], steps))
    assert "Learning rate by step" in later and "Learning rate" not in later


def test_a_run_of_no_step_has_no_section():
    assert history_section([], {}).parts == []
