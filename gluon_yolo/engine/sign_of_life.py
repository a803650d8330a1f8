"""SignOfLife: a line in the log when there was none for a minute."""

from __future__ import annotations

import logging
import threading
import time
from typing import Callable

SECONDS = 60.0

_logger = logging.getLogger("gluon_yolo")


class SignOfLife(logging.Handler):
    """While entered, says what is under way whenever the log was silent for a while.

    It has a thread of its own: a long batch, a slow disk and a long validation say nothing themselves.

    Args:
        what: returns what to say; called from that thread.
        seconds: of silence that are enough.
        clock: tells seconds.
    """

    def __init__(
        self,
        what: Callable[[], str],
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ):
        """Begin to count."""
        super().__init__()
        self._what = what
        self._seconds = seconds
        self._clock = clock
        self._last = clock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sign of life", daemon=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Take note that somebody said something."""
        self._last = self._clock()

    def check(self) -> None:
        """Say something, if it is time."""
        if self._clock() - self._last >= self._seconds:
            self._last = self._clock()  # also where nobody listens to such lines
            _logger.info("%s", self._what())

    def __enter__(self) -> SignOfLife:
        """Begin to listen."""
        self._last = self._clock()
        _logger.addHandler(self)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Fall silent."""
        self._over.set()
        self._thread.join()
        _logger.removeHandler(self)

    def _watch(self) -> None:
        while not self._over.wait(min(1.0, self._seconds)):
            self.check()
