"""File names: what may be one on every system, as a model's name is the stem of its files."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Callable

from gluon_yolo.errors import UserError

_MOST = 250  # bytes of a name with its ending: .part comes behind while a file is written
LONGEST = 200  # bytes: a file name has 255 at most, and endings and numbers come behind
# What some system does not take, or takes for something else; lone surrogates are bytes that are no text.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\ud800-\udfff]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # Windows'


def check_name(name: str, flag: str) -> str:
    """Return a name that files can be called after.

    Args:
        name: without a folder and an ending.
        flag: that gave it.

    Raises:
        UserError: it cannot be one.
    """
    wrong = _wrong(name)
    if wrong:
        made = made_name(name)
        advice = f"; {made!r} would do" if made else ""
        raise UserError(f"{flag} {name!r}: expected a plain file name {wrong}{advice}")
    return name


def check_text(folder: str | os.PathLike[str]) -> None:
    """Demand that a folder's path is text: mxnet and others open no file by bytes that are none.

    Raises:
        UserError: it is not.
    """
    path = os.fspath(folder)
    try:
        path.encode()
    except UnicodeEncodeError as error:
        shown = path.encode(errors="backslashreplace").decode()
        raise UserError(
            f"{shown}: its name is not UTF-8, so that mxnet cannot write there; name another folder"
        ) from error


def made_name(text: str) -> str:
    """Return the nearest name to a text that files can be called after; empty where nothing is left of it."""
    name = _FORBIDDEN.sub("_", text).strip(" ._-")
    name = name.encode()[:LONGEST].decode(errors="ignore").rstrip(" .")
    return f"{name}_" if _DEVICES.fullmatch(name) else name


def fitted(stem: str, ending: str) -> str:
    """Return a file's name, whose stem is cut where the whole is longer than file systems take."""
    while stem and len(os.fsencode(stem + ending)) > _MOST:
        stem = stem[:-1]
    return stem + ending


def free_path(
    folder: Path,
    stem: str,
    suffix: str,
    is_free: Callable[[Path], bool] = lambda path: not os.path.lexists(path),
) -> Path:
    """Return a path in a folder that is free: the stem, with ``_2``, ``_3`` and so on behind it where needed.

    Args:
        folder: of the file.
        stem: its name without ending; cut where it is too long.
        suffix: its ending.
        is_free: whether a path may be taken; by default one that does not exist.
    """
    path, number = folder / fitted(stem, suffix), 1
    while not is_free(path):
        number += 1
        path = folder / fitted(stem, f"_{number}{suffix}")
    return path


def _wrong(name: str) -> str:
    """Say what keeps a name from being a file's; nothing where it can be one."""
    if not name.strip():
        return "of one letter or more"
    found = _FORBIDDEN.search(name)
    if found:
        return "without a folder" if found.group() in "/\\" else f"without {found.group()!r}"
    if name[0] in "-. " or name[-1] in ". ":
        return "that begins with no '-', '.' or blank, and ends with no '.' or blank"
    if len(name.encode()) > LONGEST:
        return f"of {LONGEST} bytes at most"
    return "that is none of Windows' devices" if _DEVICES.fullmatch(name) else ""
