"""Darknet ``.cfg`` files: text to sections of keys, each with its line number, and back."""

from __future__ import annotations

import codecs
import dataclasses
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from gluon_yolo.errors import UserError
from gluon_yolo.models.darknet.section import Entry, Section

_COMMENT = re.compile(r"([#;]|(^|(?<=\s))//).*")
_LINE_END = re.compile(r"\r\n|\r|\n")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclasses.dataclass(frozen=True)
class Cfg:
    """The sections of a cfg file in order; the first is ``[net]``.

    Args:
        path: of the file, for messages.
        sections: all of them.
    """

    path: str
    sections: tuple[Section, ...]

    def to_text(self) -> str:
        """Return the text of a cfg file, without comments and repeated keys."""
        return "\n".join(_section_text(section) for section in self.sections)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the cfg to a file.

        Raises:
            UserError: the file cannot be written.
        """
        try:
            Path(path).write_text(self.to_text(), encoding="utf-8")
        except OSError as error:
            raise UserError(f"{os.fspath(path)}: cannot be written ({error.strerror or error})") from error

    def replaced(self, changes: Iterable[tuple[int, dict[str, str]]]) -> Cfg:
        """Return a copy with other values, in which no key counts as read.

        Args:
            changes: pairs of a section's index (``[net]`` is 0) and its keys to set, present or new.
        """
        by_place = dict(changes)
        return Cfg(self.path, tuple(section.copy(by_place.get(i)) for i, section in enumerate(self.sections)))


def read_cfg(path: str | os.PathLike[str]) -> Cfg:
    """Read a cfg file of darknet or of AlexeyAB's darknet.

    ``#`` and ``;`` begin a comment, as does ``//`` after a space. Spaces are ignored. Section names can
    repeat.

    Raises:
        UserError: the file cannot be read, is no text, does not begin with ``[net]``, or has a line that is
            no ``key=value``.
    """
    path = os.fspath(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    if data.startswith(_UTF16):
        text = data.decode("utf-16", errors="replace")
    elif b"\0" in data:
        raise UserError(f"{path}: is no text; expected a darknet cfg file")
    else:
        # Comments are in any encoding; section names, keys and values are ASCII.
        text = data.decode("utf-8-sig", errors="replace")
    return parse_cfg(_LINE_END.split(text), path)


def parse_cfg(lines: Sequence[str], path: str) -> Cfg:
    """Turn the lines of a cfg file into sections.

    Args:
        lines: the text.
        path: of the file, for messages.

    Raises:
        UserError: as for :func:`read_cfg`.
    """
    sections: list[Section] = []
    for number, raw in enumerate(lines, 1):
        line = re.sub(r"\s", "", _COMMENT.sub("", raw))
        if line.startswith("["):
            if not line.endswith("]"):
                raise UserError(f"{path}:{number}: {line!r}: the closing bracket is missing")
            sections.append(Section(path, line[1:-1], number))
        elif line:
            if not sections:
                raise UserError(f"{path}:{number}: {line!r} stands before any section; is this a cfg file?")
            _add(sections[-1], line, number)
    if not sections or sections[0].name not in ("net", "network"):
        raise UserError(f"{path}: does not begin with [net]; is this a darknet cfg file?")
    return Cfg(path, tuple(sections))


def _add(section: Section, line: str, number: int) -> None:
    """Add a ``key=value`` line to its section."""
    key, equals, value = line.partition("=")
    if not (key and equals and value):
        place = f"{section.path}:{number}: [{section.name}]"
        raise UserError(f"{place} {line!r}: expected key=value; is the file cut short?")
    first = section.entries.setdefault(key, Entry(value, number))
    if first.value != value:
        section.repeated.append((key, Entry(value, number)))


def _section_text(section: Section) -> str:
    lines = [f"[{section.name}]", *(f"{key}={entry.value}" for key, entry in section.entries.items())]
    return "\n".join(lines) + "\n"
