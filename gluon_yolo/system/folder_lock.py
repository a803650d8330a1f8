"""A lock on a folder between threads and processes, which the system releases however its holder ends."""

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


def lock(folder: Path, wait: bool) -> int | None:
    """Make a folder if it is absent, and lock it.

    Args:
        folder: the folder.
        wait: whether to wait for the holder of the lock.

    Returns:
        A handle that unlocks the folder when it is closed; None where the system or the disk has no locks.

    Raises:
        BlockingIOError: another thread or process has the lock, and it is not waited for.
        OSError: the folder cannot be made.
    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            handle = try_lock(folder, wait)
        except FileNotFoundError:  # the holder of the lock has just removed it
            continue
        if handle is None or _is_at(handle, folder):
            return handle
        os.close(handle)


def try_lock(path: Path, wait: bool = False) -> int | None:
    """Lock a file or a folder that exists; as :func:`lock` else.

    Raises:
        FileNotFoundError: there is nothing at the path.
        BlockingIOError: another thread or process has the lock, and it is not waited for.
        OSError: the path cannot be opened.
    """
    if fcntl is None:
        return None
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if isinstance(error, BlockingIOError):
            raise
        return None  # the disk has no locks
    return handle


def unlock(handle: int | None) -> None:
    """Release a lock."""
    if handle is not None:
        os.close(handle)


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other thread or process is in such a block for a folder.

    Where the folder cannot be made, or its system or disk has no locks, nothing is waited for.

    Args:
        folder: made when absent.
    """
    handle = None
    try:
        handle = lock(folder, wait=True)
    except OSError:
        log.debug("%s: cannot be locked", folder)
    try:
        yield
    finally:
        unlock(handle)


def _is_at(handle: int, folder: Path) -> bool:
    """Return whether an opened folder is still the one at its path."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(folder))
    except FileNotFoundError:
        return False
