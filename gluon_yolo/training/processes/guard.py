"""Guard: a thread that notices when another one does not come back, as from a host that is gone."""

from __future__ import annotations

import threading
from typing import Callable

_ROUND_S = 1.0


class Guard:
    """Calls a function if :meth:`passed` is not called for too long.

    It counts its own rounds, and not the time: where the whole process stands still, nobody is late.

    Args:
        limit_s: seconds between two calls of :meth:`passed`, at most.
        late: called once, in this thread.
    """

    def __init__(self, limit_s: float, late: Callable[[], None]) -> None:
        self._limit_s, self._late = limit_s, late
        self._rounds = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gluon_yolo-guard", daemon=True)

    def start(self) -> None:
        """Start to count."""
        self._thread.start()

    def stop(self) -> None:
        """Stop to count."""
        self._done.set()

    def passed(self, limit_s: float | None = None) -> None:
        """Note that the other thread came by; it may be away for ``limit_s`` from now on."""
        self._limit_s = self._limit_s if limit_s is None else limit_s
        self._rounds = 0

    def _run(self) -> None:
        while not self._done.wait(_ROUND_S):
            self._rounds += 1
            if self._rounds * _ROUND_S > self._limit_s:
                return self._late()
