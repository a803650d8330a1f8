"""WIDER FACE's text files: for each image its name, the number of its faces, and a row for each face."""

from __future__ import annotations

import dataclasses
import os
import re

from gluon_yolo.data.images.files import is_image, is_unread_image
from gluon_yolo.data.quality.report import BadFile
from gluon_yolo.data.text_file import read_text
from gluon_yolo.text import counted

COLUMNS = "x y w h blur expression illumination invalid occlusion pose"
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_ROW = re.compile(rf"{_NUMBER}(?:\s+{_NUMBER}){{9}}")
_COUNT = re.compile(r"\d{1,9}")
_INVALID = 7  # the place of its column
_SHOWN = 60

Lines = list[tuple[int, str]]
"""The lines that are not blank, each with its number, without blanks at both ends."""


@dataclasses.dataclass(frozen=True)
class Face:
    """One row of a text file, unchecked.

    Args:
        number: of the line, from 1.
        written: the row without blanks at both ends.
    """

    number: int
    written: str

    @property
    def box_xyxy(self) -> tuple[float, float, float, float]:
        """The corners in pixels from 0: x, y, x + w, y + h."""
        x, y, width, height = map(float, self.written.split()[:4])
        return x, y, x + width, y + height

    @property
    def is_invalid(self) -> bool:
        """Whether the row is marked ``invalid``: a face that the official evaluation ignores."""
        return float(self.written.split()[_INVALID]) != 0


@dataclasses.dataclass(frozen=True)
class Entry:
    """One image of a text file and its faces.

    Args:
        file: the text file.
        number: of the line with the image's name, from 1.
        image: the name as written: ``EVENT/NAME.jpg``.
        faces: its rows; empty for an image without faces.
    """

    file: str
    number: int
    image: str
    faces: tuple[Face, ...]


def read_entries(path: str | os.PathLike[str]) -> list[Entry | BadFile]:
    """Return the images of a text file; for one with broken rows, the error.

    Raises:
        UserError: the file cannot be read.
    """
    file = os.fspath(path)
    lines = _lines(file)
    entries: list[Entry | BadFile] = []
    at = 0
    while at < len(lines):
        try:
            entry, at = _entry(file, lines, at)
            entries.append(entry)
        except BadFile as error:
            entries.append(error)
            at = _next_name(lines, at + 1)
    return entries


def image_names(path: str | os.PathLike[str]) -> set[str]:
    """Return the names of a text file's images, of those with broken rows too.

    Raises:
        UserError: the file cannot be read.
    """
    return {line for _, line in _lines(os.fspath(path)) if _is_name(line)}


def _lines(file: str) -> Lines:
    text = read_text(file, "the list of faces")
    return [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def _entry(file: str, lines: Lines, at: int) -> tuple[Entry, int]:
    """Return the image whose name is expected at a place in the lines, and the place behind its rows.

    Raises:
        BadFile: there is no name, no count, or not the rows that the count announces.
    """
    number, image = lines[at]
    if not _is_name(image):
        raise _broken(file, number, "expected the picture's name, EVENT/NAME.jpg", image)
    place, count_text = lines[at + 1] if at + 1 < len(lines) else (number, "")
    if not _COUNT.fullmatch(count_text):
        expected = f"expected the number of faces in {image}"
        raise _broken(file, place, expected, count_text or "the end of the file")
    count, start = int(count_text), at + 2
    end = min(start + count, _next_name(lines, start))
    faces = tuple(Face(*line) for line in lines[start:end])
    for face in faces:
        if not _ROW.fullmatch(face.written):
            raise _broken(file, face.number, f"expected ten numbers, {COLUMNS}", face.written)
    if len(faces) < count:
        there = f"only {counted(len(faces), 'row')} behind it" if faces else "no row is behind it"
        raise BadFile(file, f"line {place}: {counted(count, 'face')} in {image}, but {there}", "broken-label")
    if not count and end < len(lines) and _is_zero(lines[end][1]):
        end += 1  # of an image without faces
    if end < len(lines) and not _is_name(lines[end][1]):
        more, text = lines[end]
        expected = f"expected the next picture's name behind the {counted(count, 'row')} of {image}"
        raise _broken(file, more, expected, text)
    is_empty = count == 1 and _is_zero(faces[0].written)
    return Entry(file, number, image, () if is_empty else faces), end


def _is_name(line: str) -> bool:
    return is_image(line) or is_unread_image(line)


def _is_zero(row: str) -> bool:
    """Return whether a line is the row of an image without faces."""
    return bool(_ROW.fullmatch(row)) and not any(map(float, row.split()))


def _next_name(lines: Lines, at: int) -> int:
    """Return the place of the first name from a place on, or the end."""
    return next((place for place in range(at, len(lines)) if _is_name(lines[place][1])), len(lines))


def _broken(file: str, number: int, expected: str, got: str) -> BadFile:
    shown = got if len(got) <= _SHOWN else f"{got[:_SHOWN]}..."
    return BadFile(file, f"line {number}: {expected}, got {shown!r}", "broken-label")
