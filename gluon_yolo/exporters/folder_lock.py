"""A lock on an output folder, so that only one process writes into it; a second one is refused."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from gluon_yolo.atomic_io import writing
from gluon_yolo.errors import SettingError
from gluon_yolo.file_names import check_text
from gluon_yolo.system import folder_lock

ADVICE = "choose another folder with {out}"


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Lock a folder for other processes until the end of the block.

    The folder and its parents are created; those that are empty at the end are removed. On a system or disk
    without ``flock`` there is no lock.

    Args:
        folder: may be absent.

    Raises:
        UserError: another process has the lock, the folder cannot be created, or its name is no valid text.
    """
    check_text(folder)
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    with writing(folder, ADVICE):
        try:
            handle = folder_lock.lock(folder, wait=False)
        except BlockingIOError:
            raise SettingError(
                f"{folder}: another run is writing there; wait until it has ended, or {ADVICE}"
            ) from None
    try:
        yield
    finally:
        for path in new:
            with contextlib.suppress(OSError):  # it is not empty
                path.rmdir()
        folder_lock.unlock(handle)
