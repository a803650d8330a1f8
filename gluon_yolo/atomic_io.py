"""Files that are whole or absent, whenever the process or the machine stops."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gluon_yolo.errors import NotWritten


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; flush what was written there to disk and rename it over ``path``.

    When writing fails nothing is left of it.
    """
    part = path.with_name(f"{path.name}.part")
    part.touch()  # a folder that cannot be written gives Python's short error, whoever the writer is
    try:
        yield part
        flush(part)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def flush(path: Path) -> None:
    """Return when a file's bytes are on disk."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    """Return when a folder's list of names is on disk."""
    if os.name != "posix":
        return  # a folder cannot be opened there, and a rename is on disk when it returns
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def seal(path: Path) -> dict[str, Any]:
    """Flush a file to disk and return what shows later whether it is whole: name, size in bytes, SHA-256."""
    flush(path)
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": _sha256(path)}


def check_seal(folder: Path, record: dict[str, Any]) -> str:
    """Return what is wrong with a file that :func:`seal` described; empty when it is whole."""
    path = folder / record["name"]
    if not path.is_file():
        return f"{path}: missing"
    size = path.stat().st_size
    if size != record["bytes"]:
        return f"{path}: damaged: it has {size} bytes, {record['bytes']} were written"
    if _sha256(path) != record["sha256"]:
        return f"{path}: damaged: its bytes are not those that were written"
    return ""


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def writing(path: Path, advice: str) -> Iterator[None]:
    """Turn a failure to write into a NotWritten: the path, the system's reason, what to do."""
    try:
        yield
    except OSError as error:
        raise NotWritten(f"{path}: cannot be written: {error.strerror or error}; {advice}") from error
