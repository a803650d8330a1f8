"""Signals of an agent: Ctrl-C and SIGTERM are passed on to its processes, which agree on where to stop."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable

from gluon_yolo.training.signals import SIGNALS, announced

BEGUN = "begun"
"""The file in the agent's folder that a process writes when it trains, and a signal then saves its state."""


class Signals:
    """Passes the first signal on; the second one, or one before the training has begun, ends everything.

    Args:
        pids: returns the process ids to pass signals on to.
        folder: where a process writes :data:`BEGUN`.
    """

    def __init__(self, pids: Callable[[], Sequence[int]], folder: Path) -> None:
        self._pids, self._folder = pids, folder
        self._asked: int | None = None
        self._before: dict[int, Any] = {}

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Handle the signals in the block. In another thread than the main one, Python allows no handlers."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._before = {number: signal.getsignal(number) for number in SIGNALS}
        self._install()
        try:
            yield
        finally:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Start processes in the block that do not get these signals until they ask for them.

        A terminal sends Ctrl-C to all, and torch's launcher sets handlers of its own.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            yield
        finally:
            if self._before:
                self._install()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _install(self) -> None:
        for number in SIGNALS:
            signal.signal(number, self._handle)

    def _handle(self, number: int, _frame: Any) -> None:
        if self._asked is not None or not (self._folder / BEGUN).exists():
            signal.signal(number, signal.default_int_handler)
            raise KeyboardInterrupt(
                f"by {signal.Signals(number).name}; nothing of the present epoch is saved"
            )
        self._asked = number
        announced(signal.Signals(number))
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
