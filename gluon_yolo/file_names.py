"""File names: check a name for every operating system, and make a valid name from a text."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Callable

from gluon_yolo.errors import UserError

_MAX_BYTES = 250  # of a name with its ending: a file that is being written has .part behind it
BEST_WEIGHTS = "best.params"  # of a run, as its snapshots
LONGEST = 200  # bytes of a stem: a file name has at most 255, and endings and numbers follow the stem
# Characters that some system forbids or treats specially; a lone surrogate is a byte that is not UTF-8.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\ud800-\udfff]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # reserved by Windows


def snapshot_name(epoch: int) -> str:
    """Return the name of a run's weights after an epoch, counted from 0."""
    return f"epoch-{epoch:04d}.params"


def check_name(name: str, flag: str) -> str:
    """Return ``name`` unchanged when it is a valid stem of a file name on every system.

    Args:
        name: without a folder and an ending.
        flag: the flag that gave the name, for the message.

    Raises:
        UserError: the name is not valid.
    """
    wrong = _wrong(name)
    if wrong:
        made = made_name(name)
        advice = f"; {made!r} would do" if made else ""
        raise UserError(f"{flag} {name!r}: expected a plain file name {wrong}{advice}")
    return name


def check_text(folder: str | os.PathLike[str]) -> None:
    """Check that a folder's path is UTF-8: mxnet and other libraries cannot open other paths.

    Raises:
        UserError: the path is not UTF-8.
    """
    path = os.fspath(folder)
    try:
        path.encode()
    except UnicodeEncodeError as error:
        shown = path.encode(errors="backslashreplace").decode()
        raise UserError(
            f"{shown}: its name is not UTF-8, so that mxnet cannot write there; name another folder"
        ) from error


def is_plain(name: object) -> bool:
    """Return whether a value that a file gives is a name in that file's own folder, and no path."""
    return isinstance(name, str) and name not in ("", ".", "..") and not set(name) & set("/\\:\0")


def made_name(text: str) -> str:
    """Return the valid file name that is nearest to a text; empty when no valid character is left."""
    name = _FORBIDDEN.sub("_", text).strip(" ._-")
    name = name.encode()[:LONGEST].decode(errors="ignore").rstrip(" .")
    return f"{name}_" if _DEVICES.fullmatch(name) else name


def fitted(stem: str, ending: str) -> str:
    """Return ``stem + ending``, with the stem cut where the name is longer than file systems allow."""
    while stem and len(os.fsencode(stem + ending)) > _MAX_BYTES:
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
    """Return what is wrong with a name; empty when it is valid."""
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
