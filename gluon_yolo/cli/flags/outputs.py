"""Outputs: the files and folders that flags name to be written, looked at before the work begins."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Callable, Optional

from gluon_yolo.atomic_io import replacing, writing
from gluon_yolo.errors import UserError


@contextlib.contextmanager
def saying(what: Callable[[], str]) -> Iterator[None]:
    """Let Ctrl-C within the block say more; the program prints it behind ``stopped: `` and ends with 130.

    Args:
        what: called after the block has cleaned up; says what was stopped and what is left on disk.

    Raises:
        KeyboardInterrupt: with these words, in the place of one without.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(what()) from error


Places = Mapping[str, Optional[str]]  # a flag to the path that it was given, None where it was not


def check_outputs(files: Places, folders: Places, inputs: Places | None = None) -> None:
    """Demand that files can be written at the end; folders that are missing are made then, and not yet.

    Args:
        files: to be written, by flag.
        folders: to be written into, by flag.
        inputs: files that are read, by flag; none of them may be overwritten.

    Raises:
        UserError: one of them cannot be written.
    """
    for flag, word in {**files, **folders}.items():
        if word == "":
            raise UserError(f"{flag}: is empty; name a place, or leave the flag out")
    for flag, path in _given(folders):
        _check(flag, path, path, stat.S_ISDIR)
    for flag, path in _given(files):
        _check(flag, path, path.parent, stat.S_ISREG)
        for other, folder in _given(folders):
            if path.absolute() in (folder.absolute(), *folder.absolute().parents):
                raise UserError(f"{flag} {path}: is the folder of {other} {folder}; name another file")
        for other, read in _given(inputs or {}):
            if path.is_file() and read.exists() and os.path.samefile(path, read):
                raise UserError(f"{flag} {path}: is what {other} reads; name another file")


def make_folder(flag: str, folder: Path) -> None:
    """Make a folder and those above it, where they are absent.

    Args:
        flag: that named it.
        folder: its path.

    Raises:
        UserError: it cannot be made.
    """
    with writing(folder, f"name another place with {flag}"):
        folder.mkdir(parents=True, exist_ok=True)


def write_file(flag: str, path: Path, text: str) -> None:
    """Write a file, whole or not at all; its folder is made when absent.

    Bytes of a file's name that are no text are escaped, as JSON does it and its readers understand.

    Args:
        flag: that named it.
        path: of the file.
        text: what it is to hold.

    Raises:
        UserError: it cannot be written.
    """
    make_folder(flag, path.parent)
    with writing(path, f"name another place with {flag}"), replacing(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


def _given(places: Places) -> list[tuple[str, Path]]:
    return [(flag, Path(path)) for flag, path in places.items() if path]


def _check(flag: str, path: Path, folder: Path, is_wanted: Callable[[int], bool]) -> None:
    """Check what is there already, and that the folder, or the nearest above it, takes a file."""
    try:
        with contextlib.suppress(FileNotFoundError):
            mode = os.stat(path).st_mode
            if not is_wanted(mode):
                kind = "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "device or pipe"
                raise UserError(f"{flag} {path}: is a {kind}; name another place")
        while not os.path.lexists(folder):
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{flag} {path}: cannot be written: {reason}; name another place") from error
