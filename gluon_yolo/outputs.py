"""Outputs: the files and folders that settings name to be written, looked at before the work begins.

Settings are named as messages are to name them: ``"{out}"`` for a setting in Python, which the command line
turns into its flag, or the flag itself.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Callable, Optional

from gluon_yolo.atomic_io import replacing, writing
from gluon_yolo.errors import SettingError

Places = Mapping[str, Optional[str]]  # a setting, or a flag, to its path; None where none was given


def check_outputs(files: Places, folders: Places, inputs: Places | None = None) -> None:
    """Demand that files can be written at the end; folders that are missing are made then, and not yet.

    Args:
        files: to be written, by setting.
        folders: to be written into, by setting.
        inputs: files that are read, by setting; none of them may be overwritten.

    Raises:
        SettingError: one of them cannot be written.
    """
    for setting, word in {**files, **folders}.items():
        if word == "":
            raise SettingError(f"{setting}: is empty; name a place, or leave the flag out")
    for setting, path in _given(folders):
        _check(setting, path, path, stat.S_ISDIR)
    for setting, path in _given(files):
        _check(setting, path, path.parent, stat.S_ISREG)
        for other, folder in _given(folders):
            if path.absolute() in (folder.absolute(), *folder.absolute().parents):
                raise SettingError(f"{setting} {path}: is the folder of {other} {folder}; name another file")
        for other, read in _given(inputs or {}):
            if path.is_file() and read.exists() and os.path.samefile(path, read):
                raise SettingError(f"{setting} {path}: is what {other} reads; name another file")


def make_folder(setting: str, folder: Path) -> None:
    """Make a folder and those above it, where they are absent.

    Args:
        setting: that named it.
        folder: its path.

    Raises:
        SettingError: it cannot be made.
    """
    with writing(folder, f"name another place with {setting}"):
        folder.mkdir(parents=True, exist_ok=True)


def write_file(setting: str, path: Path, text: str) -> None:
    """Write a file, whole or not at all; its folder is made when absent.

    Bytes of a file's name that are no text are escaped, as JSON does it and its readers understand.

    Args:
        setting: that named it.
        path: of the file.
        text: what it is to hold.

    Raises:
        SettingError: it cannot be written.
    """
    make_folder(setting, path.parent)
    with writing(path, f"name another place with {setting}"), replacing(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


def _given(places: Places) -> list[tuple[str, Path]]:
    return [(setting, Path(path)) for setting, path in places.items() if path]


def _check(setting: str, path: Path, folder: Path, is_wanted: Callable[[int], bool]) -> None:
    """Check what is there already, and that the folder, or the nearest above it, takes a file."""
    try:
        with contextlib.suppress(FileNotFoundError):
            mode = os.stat(path).st_mode
            if not is_wanted(mode):
                kind = "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "device or pipe"
                raise SettingError(f"{setting} {path}: is a {kind}; name another place")
        while not os.path.lexists(folder):
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise SettingError(f"{setting} {path}: cannot be written: {reason}; name another place") from error
