"""What lies in the place of a weights file that never came: Git LFS's pointers, and pages of the web."""

from __future__ import annotations

import os

from gluon_yolo.errors import UserError

LENGTH = 64  # bytes from a file's beginning that tell
_POINTER = b"version https://git-lfs"
_PAGES = (b"<!doctype", b"<html", b"<?xml")


def refuse(path: str | os.PathLike[str], start: bytes) -> None:
    """Refuse a file that stands in for weights.

    Args:
        path: of the file, for the message.
        start: its first bytes, ``LENGTH`` or more.

    Raises:
        UserError: it is such a file.
    """
    if start.startswith(_POINTER):
        raise UserError(
            f"{os.fspath(path)}: is a pointer of Git LFS and not the file itself; fetch that with "
            "`git lfs pull`"
        )
    if start.lstrip().lower().startswith(_PAGES):
        raise UserError(
            f"{os.fspath(path)}: is a web page and no weights, as a download leaves that failed; get it anew"
        )
