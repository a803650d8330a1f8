"""Race: candidates take turns, and are ranked by what their calls usually take, or by their slow ones."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Callable, Protocol

ROUNDS = 5
UNSTEADY = 3.0  # times its fastest call that a candidate's slow ones take, from which on it is not trusted
SLOW = 0.9  # of a candidate's calls are no slower than its slow ones


class Candidate(Protocol):
    """What can be measured."""

    def turn(self) -> Sequence[float]:
        """Return the milliseconds of some calls in a row."""


@dataclasses.dataclass(frozen=True)
class Time:
    """How long a candidate's calls took, in milliseconds.

    Args:
        usual: the median turn's median call.
        fastest: of all calls.
        slow: what nine calls of ten do not exceed, each turn counting alike.
    """

    usual: float
    fastest: float
    slow: float

    @property
    def steady(self) -> bool:
        """Whether one call takes about as long as another."""
        return self.slow <= UNSTEADY * self.fastest

    @property
    def ranked_by(self) -> float:
        """What it is ranked by: a lucky call is no measure of one that is not steady."""
        return self.usual if self.steady else self.slow


def race(candidates: Mapping[str, Candidate], failed: Callable[[str, Exception], object]) -> dict[str, Time]:
    """Let candidates take turns, so that whatever else the machine does hits all alike.

    Those whose calls differ much are measured once more, in turns of their own.

    Args:
        candidates: by name.
        failed: is told of one whose turn raised something; it then is out.

    Returns:
        The times by name, the best first, without those that failed.
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
    """Let each take a turn, round after round."""
    turns: dict[str, list[Sequence[float]]] = {name: [] for name in candidates}
    for _ in range(ROUNDS):
        for name in list(turns):
            try:
                turns[name].append(candidates[name].turn())
            except Exception as error:  # whatever its package raises: the others may do better
                del turns[name]
                failed(name, error)
    return {name: _time(calls) for name, calls in turns.items()}


def _time(turns: Sequence[Sequence[float]]) -> Time:
    usual = statistics.median(statistics.median(calls) for calls in turns)
    weighted = sorted((milliseconds, 1 / len(calls)) for calls in turns for milliseconds in calls)
    reached, slow = 0.0, weighted[-1][0]
    for milliseconds, weight in weighted:
        reached += weight
        if reached >= SLOW * len(turns) - 1e-9:  # of rounding
            slow = milliseconds
            break
    return Time(usual, weighted[0][0], slow)
