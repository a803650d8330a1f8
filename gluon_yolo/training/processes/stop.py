"""SharedStop: whether a run of several processes ends early, which all of them decide at the same step."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Sequence
from typing import Any, Callable

from gluon_yolo.training.signals import SIGNALS, Stop, announced

WISHES = (*SIGNALS, "callback", "ending")
"""What a process can wish to end the run for, in the order of a message; ``ending``: after an epoch."""


class SharedStop(Stop):
    """A :class:`Stop` that is set once the processes have told each other.

    A signal may reach one process or all of them, and more than once: from the terminal, from the agent, from
    a scheduler. It is only noted; what ends a process at once is its agent.

    Args:
        begun: called when signals are noted from then on.
        is_announced: whether this process prints that a signal arrived.
    """

    def __init__(self, begun: Callable[[], None], is_announced: bool) -> None:
        super().__init__()
        self._begun = begun
        self._is_announced = is_announced
        self._wished: signal.Signals | None = None
        self._is_agreed = False

    def __bool__(self) -> bool:
        """Return whether the run ends early, as all processes know."""
        return self._is_agreed

    def wishes(self) -> list[float]:
        """Return what this process has to tell the others: 1 for each wish that it has."""
        own = (self._wished, bool(self.callback) and "callback", bool(self.ending) and "ending")
        return [float(wish in own) for wish in WISHES]

    def agree(self, wishes: Sequence[float]) -> None:
        """Take over the wishes of all processes, each above 0 where one has it."""
        *stops, ending = zip(WISHES, wishes)
        if ending[1]:
            self.ending = self.ending or "the first process ends it"
        found = next((wish for wish, count in stops if count), None)
        if isinstance(found, signal.Signals):
            self.asked = found
        self._is_agreed = self._is_agreed or found is not None

    def __enter__(self) -> SharedStop:
        """Install the signal handlers."""
        with contextlib.suppress(ValueError):  # not in the main thread
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._note)
        self._begun()
        return self

    def _note(self, number: int, _frame: Any) -> None:
        if self._wished is None and self._is_announced:
            announced(signal.Signals(number))
        self._wished = self._wished or signal.Signals(number)
