"""StepLosses: the losses of a training by step, in a bounded number of points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST = 500  # points; beyond, each two neighbours become one


class StepLosses:
    """Adds up steps into points; when there are too many, it halves their number.

    A point has the mean losses of its steps, the step that it ends with, and the learning rate of that step.
    """

    def __init__(self) -> None:
        self._every = 1  # steps of a point
        self._points: list[dict[str, float]] = []
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, step: int, lr: float, losses: Mapping[str, float]) -> None:
        """Add a step.

        Args:
            step: its number, from 1.
            lr: its learning rate.
            losses: by name.
        """
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value)
        self._count += 1
        if self._count < self._every:
            return
        means = {name: value / self._count for name, value in self._sums.items()}
        self._points.append({"step": step, "lr": float(lr), "total": sum(means.values()), **means})
        self._sums, self._count = {}, 0
        if len(self._points) > MOST:
            self._halve()

    def _halve(self) -> None:
        pairs = zip(self._points[::2], self._points[1::2])
        last = self._points[-1:] if len(self._points) % 2 else []
        self._points = [*map(_joined, *zip(*pairs)), *last]
        self._every *= 2

    def columns(self) -> dict[str, list[float]]:
        """Return ``step``, ``lr``, ``total`` and each loss as columns; empty before the first point."""
        names = dict.fromkeys(name for point in self._points for name in point)
        return {name: [point.get(name, float("nan")) for point in self._points] for name in names}

    def state_dict(self) -> dict[str, Any]:
        """Return the state for :meth:`load_state_dict`: plain values, fit for JSON."""
        return {"every": self._every, "points": self._points, "sums": self._sums, "count": self._count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the result of :meth:`state_dict`.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is not one.
        """
        self._every, self._count = int(state["every"]), int(state["count"])
        points = [{name: 0 + value for name, value in point.items()} for point in state["points"]]
        self._points = [{"step": point["step"], "lr": point["lr"], **point} for point in points]
        self._sums = {name: float(total) for name, total in state["sums"].items()}


def _joined(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """Return the point of two neighbours: mean losses; step and learning rate of the later one."""
    means = {name: (one[name] + other[name]) / 2 for name in other if name in one}
    return {**means, "step": other["step"], "lr": other["lr"]}
