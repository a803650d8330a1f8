"""Files that are not the weights themselves: Git LFS pointers and web pages."""

from __future__ import annotations

import os

from gluon_yolo.errors import UserError

LENGTH = 64  # number of first bytes that are enough to recognise one
_POINTER = b"version https://git-lfs"
_PAGES = (b"<!doctype", b"<html", b"<?xml")


def refuse(path: str | os.PathLike[str], start: bytes) -> None:
    """Raise an error for a placeholder.

    Args:
        path: of the file, for the message.
        start: its first bytes, ``LENGTH`` or more.

    Raises:
        UserError: the file is a Git LFS pointer or a web page.
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
