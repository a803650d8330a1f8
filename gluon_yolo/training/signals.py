"""Stop: the wish to end a run early, as Ctrl-C and SIGTERM express it."""

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
    """

    def __init__(self) -> None:
        """Take note of nothing yet."""
        self.asked: signal.Signals | None = None
        self._before: dict[int, Any] = {}

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
