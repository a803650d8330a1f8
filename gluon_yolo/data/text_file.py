"""Text files of a data set: read whole, with one way to say that they cannot be."""

from __future__ import annotations

import codecs
import os
from typing import TextIO

from gluon_yolo.data.images.file_types import kind_of
from gluon_yolo.errors import UserError

_TELLING = 1024  # bytes that tell a file's kind
_TEXTS = (".txt", ".json", ".xml")
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # which begins as UTF-16 does
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def encoding_of(head: bytes) -> str:
    """Return the encoding that the first four bytes of a file tell: by a byte order mark, else UTF-8."""
    return next((name for mark, name in _MARKS.items() if head.startswith(mark)), "utf-8")


def decoded(content: bytes, errors: str = "strict") -> str:
    """Return the text of a file's bytes, UTF-8 or of the encoding that a byte order mark tells.

    Raises:
        UnicodeDecodeError: it is no such text.
    """
    return content.decode(encoding_of(content[:4]), errors)


def read_text(path: str | os.PathLike[str], what: str) -> str:
    """Return the text of a UTF-8 file, or of one whose byte order mark tells its encoding, as UTF-16.

    Args:
        path: the file.
        what: what it holds, for the message: ``"the list"``.

    Raises:
        UserError: it cannot be read, or is no such text.
    """
    try:
        with open(path, "rb") as file:
            text = decoded(file.read())
    except OSError as error:
        raise UserError(f"{os.fspath(path)}: cannot read {what}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise _no_text(path, what) from error
    if "\0" in text:  # which is how UTF-16 without a mark reads
        raise _no_text(path, what)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _no_text(path: str | os.PathLike[str], what: str) -> UserError:
    problem = "not UTF-8 text; save the file as UTF-8"
    return UserError(f"{os.fspath(path)}: cannot read {what}: {problem}")


def first_line(path: str | os.PathLike[str]) -> str:
    """Return the first line that is not blank, stripped; empty where nothing can be read."""
    try:
        with open_text(path) as file:
            return next((line.strip() for line in file if line.strip()), "")
    except OSError:
        return ""


def open_text(path: str | os.PathLike[str]) -> TextIO:
    """Open a text file for a look at its first lines: what cannot be decoded is replaced.

    Raises:
        OSError: it cannot be opened.
    """
    with open(path, "rb") as file:
        encoding = encoding_of(file.read(4))
    return open(path, encoding=encoding, errors="replace")


def said_of(path: str | os.PathLike[str]) -> str:
    """Say what lies in the place of a text, such as a Git LFS pointer or a web page; empty for a text.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        kind = kind_of(file.read(_TELLING))
    if kind is None or kind.is_image or kind.ending in _TEXTS:
        return ""
    return f"it is {kind.name}: {kind.remedy if not kind.ending else 'get the file itself'}"
