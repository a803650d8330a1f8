"""Stop: whether a run ends early because of Ctrl-C, SIGTERM or a callback."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """A context in which the first Ctrl-C or SIGTERM only sets a flag; the second one ends the process.

    Attributes:
        asked: the signal; None before one arrives.
        callback: the callback that ends the run; empty where none does.
        ending: why the training ends after the present epoch, as a finished one; empty where it does not.
    """

    def __init__(self) -> None:
        self.asked: signal.Signals | None = None
        self.callback = ""
        self.ending = ""
        self._before: dict[int, Any] = {}

    def __bool__(self) -> bool:
        """Return whether the run ends early."""
        return self.asked is not None or bool(self.callback)

    @property
    def by(self) -> str:
        """The reason why the run ends: the name of the signal, else of the callback."""
        return self.asked.name if self.asked is not None else self.callback

    def __enter__(self) -> Stop:
        """Install the signal handlers. In another thread than the main one, Python allows no handlers."""
        with contextlib.suppress(ValueError):
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the earlier signal handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: Any) -> None:
        self.asked = signal.Signals(number)
        signal.signal(number, self._before[number])
        announced(self.asked)


def announced(asked: signal.Signals) -> None:
    """Print that a signal ends the run early. Not through the log: it may interrupt the writing of a line."""
    text = f"\n{asked.name}: finishing what is under way, then saving; once more to quit at once\n"
    os.write(2, text.encode())
