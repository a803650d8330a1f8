"""Atomic file writing: a file is complete or absent, even after a crash or a power failure."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gluon_yolo.errors import NotWritten

PART = ".part"  # behind the name of a file that is being written
MAKE_ROOM = "free space there or allow writing"  # advice of a run, which cannot go to another place


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; flush that file to disk and rename it to ``path`` afterwards.

    The temporary file is deleted when the block raises.
    """
    part = path.with_name(f"{path.name}{PART}")
    if part.is_symlink():  # it may lead anywhere, and what is there would be written over
        part.unlink()
    part.touch()  # in a folder without write permission, every kind of writer gives Python's short error
    try:
        yield part
        flush(part)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def is_unused(folder: Path) -> bool:
    """Return whether a folder is empty, but for what a killed process had begun (:func:`replacing`)."""
    return all(path.name.endswith(PART) for path in folder.iterdir())


def flush(path: Path) -> None:
    """Flush a file's bytes to disk (``fsync``)."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    """Flush a folder's list of names to disk, so that a rename survives a power failure."""
    if os.name != "posix":
        return  # Windows cannot open a folder; a rename is on disk when it returns
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def seal(path: Path) -> dict[str, Any]:
    """Flush a file to disk and return its record for :func:`check_seal`: name, size in bytes, SHA-256."""
    flush(path)
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": digest(path)}


def check_seal(folder: Path, record: dict[str, Any]) -> str:
    """Return what is wrong with a file that :func:`seal` recorded; empty when the file is intact."""
    path = folder / record["name"]
    if not path.is_file():
        return f"{path}: missing"
    size = path.stat().st_size
    if size != record["bytes"]:
        return f"{path}: damaged: it has {size} bytes, {record['bytes']} were written"
    if digest(path) != record["sha256"]:
        return f"{path}: damaged: its bytes are not those that were written"
    return ""


def digest(path: Path, kind: str = "sha256") -> str:
    """Return the checksum of a file in hexadecimal digits.

    Args:
        path: of the file.
        kind: a name that ``hashlib`` knows.
    """
    sums = hashlib.new(kind)
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            sums.update(block)
    return sums.hexdigest()


@contextlib.contextmanager
def writing(path: Path, advice: str) -> Iterator[None]:
    """Turn an ``OSError`` into a NotWritten with the path, the system's reason and the advice.

    Raises:
        NotWritten: the block could not write.
    """
    try:
        yield
    except OSError as error:
        raise NotWritten(f"{path}: cannot be written: {error.strerror or error}; {advice}") from error
