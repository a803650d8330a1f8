"""Waiting for other threads and processes: until something is so, however long a busy machine takes."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 60.0


def wait_until(condition: Callable[[], bool], seconds: float = SECONDS) -> bool:
    """Wait until something is so, and return whether it is; False when so many seconds went by first."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
