"""A lock on a folder, so that only one process writes into it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from gluon_yolo.atomic_io import writing
from gluon_yolo.errors import SettingError
from gluon_yolo.file_names import check_text

ADVICE = "choose another folder with {out}"

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Lock a folder for other processes until the end of the block.

    The folder and its parents are created; those that are empty at the end are removed. The system releases
    the lock when the process ends in any way. On a system or disk without ``flock`` there is no lock.

    Args:
        folder: may be absent.

    Raises:
        UserError: another process has the lock, the folder cannot be created, or its name is no valid text.
    """
    check_text(folder)
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    with writing(folder, ADVICE):
        handle = _lock(folder)
    try:
        yield
    finally:
        for path in new:
            with contextlib.suppress(OSError):  # it is not empty
                path.rmdir()
        if handle is not None:
            os.close(handle)


def _lock(folder: Path) -> int | None:
    """Create and lock a folder; return the handle that unlocks it when closed, None without locks."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        if fcntl is None:
            return None
        try:
            handle = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # the process with the lock has just removed it
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise SettingError(
                f"{folder}: another run is writing there; wait until it has ended, or {ADVICE}"
            ) from None
        except OSError:  # the disk has no locks
            os.close(handle)
            return None
        if _is_at(handle, folder):
            return handle
        os.close(handle)


def _is_at(handle: int, folder: Path) -> bool:
    """Return whether an opened folder is still the one at its path."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(folder))
    except FileNotFoundError:
        return False
