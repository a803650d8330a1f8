"""History of a training in a report: losses, learning rate, scores and speed, by epoch and by step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from gluon_yolo.report.charts import Line, line_chart
from gluon_yolo.report.page import Part, Section, Table
from gluon_yolo.visualize.curves import SCORES, number

_TIMED = ("seconds", "pictures_per_second")
_NO_LOSSES = ("epoch", "lr", *_TIMED, *SCORES)
_EPOCHS_IN_TABLE = 400
_WIDE = 30.0  # a learning rate that falls to less than this part is drawn on a logarithmic axis

Row = Mapping[str, str]  # of metrics.csv: text by column; empty cells have no value


def history_section(
    rows: Sequence[Row], steps: Mapping[str, Sequence[float]] | None = None, score_key: str | None = None
) -> Section:
    """Return the section of a training's curves.

    Args:
        rows: of ``metrics.csv``.
        steps: the columns ``step``, ``lr`` and the losses, as
            :meth:`gluon_yolo.training.step_losses.StepLosses.columns` returns them; None without a record.
        score_key: the score that compares epochs, which comes first.
    """
    columns = _columns(rows)
    losses = [name for name in columns if name not in _NO_LOSSES]
    losses = sorted(losses, key=lambda name: name != "total")
    scores = [name for name in SCORES if name in columns]
    scores = sorted(scores, key=lambda name: name != score_key)
    parts: list[Part | None] = [
        *_step_charts(steps or {}),
        line_chart("Losses by epoch", _lines(columns, losses), "epoch", "loss", log=True, whole=True),
        line_chart(
            "Mean average precision", _lines(columns, scores), "epoch", "", whole=True, y_range=(0, 1.02)
        ),
        # A record of the steps has the rate of each one.
        None if (steps or {}).get("step") else _rate_chart(columns),
        line_chart("Speed", _lines(columns, ["pictures_per_second"]), "epoch", "images a second", whole=True),
        _table(rows),
    ]
    return Section("training", "Training", [part for part in parts if part is not None])


def _columns(rows: Sequence[Row]) -> dict[str, tuple[list[float], list[float]]]:
    """Return epochs and values of each column; cells without a value are left out."""
    columns: dict[str, tuple[list[float], list[float]]] = {}
    for row in rows:
        for name, text in row.items():
            value = number(text)
            if name != "epoch" and value is not None:
                epochs, values = columns.setdefault(name, ([], []))
                epochs.append(float(row["epoch"]))
                values.append(value)
    return columns


def _lines(columns: Mapping[str, tuple[list[float], list[float]]], names: Sequence[str]) -> list[Line]:
    return [Line(name, *columns[name]) for name in names if name in columns]


def _step_charts(steps: Mapping[str, Sequence[float]]) -> list[Part | None]:
    """Return the charts of losses and learning rate by step."""
    if not steps.get("step"):
        return []
    losses = [name for name in steps if name not in ("step", "lr")]
    losses = sorted(losses, key=lambda name: name != "total")
    lines = [Line(name, steps["step"], steps[name]) for name in losses]
    rate = [Line("learning rate", steps["step"], steps["lr"])]
    return [
        line_chart("Losses by step", lines, "step", "loss", log=True, whole=True),
        line_chart("Learning rate by step", rate, "step", "learning rate", whole=True),
    ]


def _rate_chart(columns: Mapping[str, tuple[list[float], list[float]]]) -> Part | None:
    """Return the chart of the learning rate of each epoch's last step."""
    rates = columns.get("lr", ([], []))[1]
    lines = _lines(columns, ["lr"])
    return line_chart("Learning rate", lines, "epoch", "learning rate", log=_falls_far(rates), whole=True)


def _falls_far(rates: Sequence[float]) -> bool:
    positive = [rate for rate in rates if math.isfinite(rate)]
    return bool(positive) and min(positive) > 0 and max(positive) / min(positive) > _WIDE


def _table(rows: Sequence[Row]) -> Table | None:
    """Return all numbers of the epochs, the last one first."""
    if not rows:
        return None
    header = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[row.get(name) or "" for name in header] for row in rows[::-1][:_EPOCHS_IN_TABLE]]
    return Table("Numbers of each epoch", header, cells, folded=True)
