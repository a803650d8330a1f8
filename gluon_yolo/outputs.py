"""Output files and folders: checked before the work begins, written at its end.

A setting has the name that messages use: ``"{out}"``, which the command line prints as its flag, or the flag
itself.
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

Places = Mapping[str, Optional[str]]  # the path of each setting or flag; None where it is not given


def check_outputs(files: Places, folders: Places, inputs: Places | None = None) -> None:
    """Check that files and folders can be written later. Missing folders are not made yet.

    Args:
        files: files to write, by setting.
        folders: folders to write into, by setting.
        inputs: files to read, by setting; an output must not overwrite one.

    Raises:
        SettingError: an output cannot be written.
    """
    for setting, word in {**files, **folders}.items():
        if word == "":
            raise SettingError(f"{setting}: is empty; name a place, or leave the flag out")
    for setting, path in _given(folders):
        _check(setting, path, path, stat.S_ISDIR)
    taken: dict[Path, str] = {}
    for setting, path in _given(files):
        _check(setting, path, path.parent, stat.S_ISREG)
        if before := taken.get(path.absolute()):
            raise SettingError(f"{setting} {path}: is the file of {before}; name another file")
        taken[path.absolute()] = setting
        for other, folder in _given(folders):
            if path.absolute() in (folder.absolute(), *folder.absolute().parents):
                raise SettingError(f"{setting} {path}: is the folder of {other} {folder}; name another file")
        for other, read in _given(inputs or {}):
            if path.is_file() and read.exists() and os.path.samefile(path, read):
                raise SettingError(f"{setting} {path}: is what {other} reads; name another file")


def make_folder(setting: str, folder: Path) -> None:
    """Make a folder and its parents where they are missing.

    Args:
        setting: the setting that names the folder.
        folder: its path.

    Raises:
        SettingError: it cannot be made.
    """
    with writing(folder, f"name another place with {setting}"):
        folder.mkdir(parents=True, exist_ok=True)


def write_file(setting: str, path: Path, text: str) -> None:
    """Write a whole file in one step; make its folder when missing.

    Bytes of a file name that are not valid text are escaped as in JSON.

    Args:
        setting: the setting that names the file.
        path: its path.
        text: its content.

    Raises:
        SettingError: it cannot be written.
    """
    make_folder(setting, path.parent)
    with writing(path, f"name another place with {setting}"), replacing(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


def _given(places: Places) -> list[tuple[str, Path]]:
    return [(setting, Path(path)) for setting, path in places.items() if path]


def _check(setting: str, path: Path, folder: Path, is_wanted: Callable[[int], bool]) -> None:
    """Check the type of an existing path, and that its folder, or the nearest parent, is writable."""
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
