"""Hold: a folder that one run alone writes into."""

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
    """Keep other runs out of a folder while the block lasts.

    The folder and those above it are made; those that are empty in the end go again. The system lets go of it
    when the process ends, however that is. On a system or a disk without ``flock`` nobody is kept out.

    Args:
        folder: may be absent.

    Raises:
        UserError: another run holds it, or it cannot be made, or its name is no text.
    """
    check_text(folder)
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    with writing(folder, ADVICE):
        handle = _lock(folder)
    try:
        yield
    finally:
        for path in new:
            with contextlib.suppress(OSError):  # there is something in it
                path.rmdir()
        if handle is not None:
            os.close(handle)


def _lock(folder: Path) -> int | None:
    """Make and lock a folder; return what unlocks it when closed, None where there are no locks."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        if fcntl is None:
            return None
        try:
            handle = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # who held it has just removed it
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
    """Say whether a folder that was opened still is the one at its path."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(folder))
    except FileNotFoundError:
        return False
