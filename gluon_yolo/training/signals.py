"""Stop: whether a run is to end early, by Ctrl-C, by SIGTERM or by a callback."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """While entered, Ctrl-C and SIGTERM leave a note instead of ending the process; a second one ends it.

    Attributes:
        asked: the signal that came, None before one does.
        callback: the callback that ends the run; empty where none does.
    """

    def __init__(self) -> None:
        """Take note of nothing yet."""
        self.asked: signal.Signals | None = None
        self.callback = ""
        self._before: dict[int, Any] = {}

    def __bool__(self) -> bool:
        """Say whether the run is to end."""
        return self.asked is not None or bool(self.callback)

    @property
    def by(self) -> str:
        """Who ends the run: the signal's name, or else the callback's."""
        return self.asked.name if self.asked is not None else self.callback

    def __enter__(self) -> Stop:
        """Begin to listen; outside the main thread signals are somebody else's, and nothing is heard."""
        with contextlib.suppress(ValueError):
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signals back to who had them."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: Any) -> None:
        self.asked = signal.Signals(number)
        signal.signal(number, self._before[number])
        # Written past the log: this may have come in the middle of one of its lines.
        text = f"\n{self.asked.name}: finishing what is under way, then saving; once more to quit at once\n"
        os.write(2, text.encode())
