"""Text files of a data set: read whole, with one way to say that they cannot be."""

from __future__ import annotations

import os

from gluon_yolo.errors import UserError


def read_text(path: str | os.PathLike[str], what: str) -> str:
    """Return the text of a UTF-8 file, with or without a byte order mark.

    Args:
        path: the file.
        what: what it holds, for the message: ``"the list"``.

    Raises:
        UserError: it cannot be read, or is not UTF-8.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except OSError as error:
        raise UserError(f"{os.fspath(path)}: cannot read {what}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        problem = "not UTF-8 text; save the file as UTF-8"
        raise UserError(f"{os.fspath(path)}: cannot read {what}: {problem}") from error


def first_line(path: str | os.PathLike[str]) -> str:
    """Return the first line that is not blank, stripped; empty where nothing can be read."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            return next((line.strip() for line in file if line.strip()), "")
    except OSError:
        return ""
