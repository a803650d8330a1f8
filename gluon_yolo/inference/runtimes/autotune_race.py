"""Rank runtimes by their call times, measured in turns."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Callable, Protocol

ROUNDS = 5
UNSTEADY = 3.0  # slow calls over the fastest call; above this ratio the usual time is not trusted
SLOW = 0.9  # quantile of the slow calls


class Candidate(Protocol):
    """A runtime that can be measured."""

    def turn(self) -> Sequence[float]:
        """Return the milliseconds of some calls in a row."""


@dataclasses.dataclass(frozen=True)
class Time:
    """The times of a candidate's calls in milliseconds.

    Args:
        usual: median over the turns of the median call.
        fastest: of all calls.
        slow: 0.9 quantile of the calls, with equal weight for each turn.
    """

    usual: float
    fastest: float
    slow: float

    @property
    def steady(self) -> bool:
        """Whether all calls take about the same time."""
        return self.slow <= UNSTEADY * self.fastest

    @property
    def ranked_by(self) -> float:
        """Milliseconds for the ranking: the usual time; if the candidate is not steady, the slow one."""
        return self.usual if self.steady else self.slow


def race(candidates: Mapping[str, Candidate], failed: Callable[[str, Exception], object]) -> dict[str, Time]:
    """Measure the candidates in turns, so that other load on the machine affects all of them.

    Candidates that are not steady are measured a second time, on their own.

    Args:
        candidates: by name.
        failed: function that gets name and error of a candidate whose turn failed; it is not measured
            further.

    Returns:
        The times by name, the best first, without the failed ones.
    """
    times = _rounds(candidates, failed)
    unsteady = {name: candidates[name] for name, time in times.items() if not time.steady}
    for name in unsteady:
        del times[name]
    times.update(_rounds(unsteady, failed))
    return dict(sorted(times.items(), key=lambda item: item[1].ranked_by))


def _rounds(
    candidates: Mapping[str, Candidate], failed: Callable[[str, Exception], object]
) -> dict[str, Time]:
    """Measure every candidate once per round."""
    turns: dict[str, list[Sequence[float]]] = {name: [] for name in candidates}
    for _ in range(ROUNDS):
        for name in list(turns):
            try:
                turns[name].append(candidates[name].turn())
            except Exception as error:  # any error of its package: the other candidates may work
                del turns[name]
                failed(name, error)
    return {name: _time(calls) for name, calls in turns.items()}


def _time(turns: Sequence[Sequence[float]]) -> Time:
    usual = statistics.median(statistics.median(calls) for calls in turns)
    weighted = sorted((milliseconds, 1 / len(calls)) for calls in turns for milliseconds in calls)
    reached, slow = 0.0, weighted[-1][0]
    for milliseconds, weight in weighted:
        reached += weight
        if reached >= SLOW * len(turns) - 1e-9:  # tolerance for rounding
            slow = milliseconds
            break
    return Time(usual, weighted[0][0], slow)
