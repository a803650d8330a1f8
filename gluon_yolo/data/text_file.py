"""Text files of a data set: detect their encoding and read them, with one error for unreadable files."""

from __future__ import annotations

import codecs
import os
from typing import TextIO

from gluon_yolo.data.images.file_types import kind_of
from gluon_yolo.errors import UserError

_TELLING = 1024  # bytes that are enough to detect a file's type
_TEXTS = (".txt", ".json", ".xml")
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark is its prefix
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def encoding_of(head: bytes) -> str:
    """Return the encoding of a file by the byte order mark in its first four bytes; UTF-8 without a mark."""
    return next((name for mark, name in _MARKS.items() if head.startswith(mark)), "utf-8")


def decoded(content: bytes, errors: str = "strict") -> str:
    """Return the text of a file's bytes, in the encoding of its byte order mark, or UTF-8.

    Raises:
        UnicodeDecodeError: the bytes are not text in that encoding.
    """
    return content.decode(encoding_of(content[:4]), errors)


def read_text(path: str | os.PathLike[str], what: str) -> str:
    """Return the text of a UTF-8 file, or of a file whose byte order mark gives its encoding, such as UTF-16.

    Args:
        path: the file.
        what: its content, for the message: ``"the list"``.

    Raises:
        UserError: the file cannot be read, or is not such text.
    """
    try:
        with open(path, "rb") as file:
            text = decoded(file.read())
    except OSError as error:
        raise UserError(f"{os.fspath(path)}: cannot read {what}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise _no_text(path, what) from error
    if "\0" in text:  # UTF-16 without a byte order mark
        raise _no_text(path, what)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _no_text(path: str | os.PathLike[str], what: str) -> UserError:
    problem = "not UTF-8 text; save the file as UTF-8"
    return UserError(f"{os.fspath(path)}: cannot read {what}: {problem}")


def first_line(path: str | os.PathLike[str]) -> str:
    """Return the first line that is not blank, stripped; empty without one or when it cannot be read."""
    try:
        with open_text(path) as file:
            return next((line.strip() for line in file if line.strip()), "")
    except OSError:
        return ""


def open_text(path: str | os.PathLike[str]) -> TextIO:
    """Open a text file to read its first lines; bytes that cannot be decoded are replaced.

    Raises:
        OSError: the file cannot be opened.
    """
    with open(path, "rb") as file:
        encoding = encoding_of(file.read(4))
    return open(path, encoding=encoding, errors="replace")


def type_in_place_of_text(path: str | os.PathLike[str]) -> str:
    """Return what a file is when it is not text, such as a Git LFS pointer or a web page; empty for text.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        kind = kind_of(file.read(_TELLING))
    if kind is None or kind.is_image or kind.ending in _TEXTS:
        return ""
    return f"it is {kind.name}: {kind.remedy if not kind.ending else 'get the file itself'}"
