"""A lock on a folder that one thread of one process has at a time; the others wait for it."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger("gluon_yolo")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other thread or process is in such a block for a folder.

    The system releases the lock of a process that ends in any way. Where the folder cannot be made, or its
    system or disk has no locks, nothing is waited for.

    Args:
        folder: made when absent.
    """
    handle = None
    try:
        if fcntl is not None:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        log.debug("%s: cannot be locked", folder)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)
