"""Scratch: temporary files beside the results, which the next run removes where a killed process left them.

A name says who made it: ``.KIND-HOST-PID-START-...``. Only what a process of this host left is removed, one
that is gone, and whose lock on it is gone with it: a process of another host or container may be living.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gluon_yolo.system.folder_lock import try_lock, unlock
from gluon_yolo.system.process import identity

_OWNER = re.compile(r"([\w.]+)-(\d+)-([0-9a-f]{8})-.+")
_HOST_LETTERS = 64


@contextlib.contextmanager
def scratch_folder(place: Path, kind: str) -> Iterator[Path]:
    """Yield a new temporary folder, and remove it afterwards, with those that killed processes left.

    Args:
        place: the folder to make it in.
        kind: what it is for: a word of its name.

    Raises:
        OSError: it cannot be made.
    """
    remove_left(place, f".{kind}-")
    folder = Path(tempfile.mkdtemp(prefix=owned(f".{kind}-"), dir=place))
    try:
        handle = try_lock(folder)
        try:
            yield folder
        finally:
            unlock(handle)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder in a :func:`scratch_folder` of the system's temporary files, for others to lock too."""
    with scratch_folder(Path(tempfile.gettempdir()), "gluon_yolo") as folder:
        inner = folder / "files"
        inner.mkdir()
        yield inner


def owned(prefix: str) -> str:
    """Return the beginning of a name that says which process made it."""
    return f"{prefix}{_host()}-{os.getpid()}-{_start(os.getpid())}-"


def remove_left(place: Path, prefix: str) -> None:
    """Remove what processes of this host that are gone left in a folder.

    Args:
        place: the folder; it may be absent.
        prefix: of the names: what :func:`owned` was given.
    """
    with contextlib.suppress(OSError):
        for path in sorted(place.iterdir()):
            if path.name.startswith(prefix) and _is_left(path, path.name[len(prefix) :]):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_left(path: Path, owner: str) -> bool:
    """Return whether the process that made a file or folder is gone."""
    named = _OWNER.fullmatch(owner)
    if named is None or named.group(1) != _host() or named.group(3) == _start(int(named.group(2))):
        return False
    try:
        unlock(try_lock(path))
    except OSError:  # it is held, by a process of a container with this host's name, or cannot be opened
        return False
    return True


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.]", "_", platform.node())[:_HOST_LETTERS] or "_"


def _start(number: int) -> str:
    """Return eight letters that tell a process from others with its number; of one that is gone, others."""
    return hashlib.sha256(identity(number)["started"].encode()).hexdigest()[:8]
