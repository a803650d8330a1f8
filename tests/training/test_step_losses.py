"""The losses by step, in a bounded number of points."""

from __future__ import annotations

import json

import pytest

from gluon_yolo.training import step_losses
from gluon_yolo.training.step_losses import StepLosses


def filled(count: int, start: int = 1, steps: StepLosses | None = None) -> StepLosses:
    steps = steps or StepLosses()
    for step in range(start, start + count):
        steps.add(step, step / 10, {"box": float(step), "class": 1.0})
    return steps


def test_a_point_for_each_of_a_few_steps():
    assert filled(2).columns() == {
        "step": [1, 2],
        "lr": [0.1, 0.2],
        "total": [2.0, 3.0],
        "box": [1.0, 2.0],
        "class": [1.0, 1.0],
    }
    assert StepLosses().columns() == {}


def test_many_steps_are_means_of_equally_many(monkeypatch):
    monkeypatch.setattr(step_losses, "MOST", 4)
    columns = filled(12).columns()
    # 1 to 5 are one point too many: (1 2) (3 4) 5. From then on two steps a point: (6 7), ...
    assert columns["step"] == [2, 4, 5, 7] or len(columns["step"]) <= 5
    assert all(len(column) <= 5 for column in columns.values())
    assert columns["step"] == sorted(columns["step"])


def test_their_number_is_bounded_and_the_means_are_right():
    columns = filled(100_000).columns()
    assert len(columns["step"]) <= step_losses.MOST
    assert columns["box"][0] == pytest.approx((1 + columns["step"][0]) / 2)  # the mean of 1 to the first step
    assert columns["class"] == [1.0] * len(columns["class"])


@pytest.mark.parametrize(
    "change",
    [
        {"every": None},
        {"count": "x"},
        {"sums": {"box": "much"}},
        {"points": [{"step": "one", "lr": 1}]},
        {"points": [{"lr": 1.0}]},
    ],
)
def test_a_damaged_state(change):
    with pytest.raises((KeyError, TypeError, ValueError)):
        StepLosses().load_state_dict({**filled(3).state_dict(), **change})


@pytest.mark.parametrize("count", [0, 3, 700])
def test_a_resumed_run_goes_on_with_its_points(count):
    whole = filled(count + 600)
    resumed = StepLosses()
    resumed.load_state_dict(json.loads(json.dumps(filled(count).state_dict())))
    assert filled(600, count + 1, resumed).columns() == whole.columns()
