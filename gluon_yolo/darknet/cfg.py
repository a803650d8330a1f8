"""Cfg: a darknet ``.cfg`` file as sections of keys, each with its line, and back to text."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from gluon_yolo.errors import UserError

T = TypeVar("T")
_COMMENT = re.compile(r"[#;].*")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One ``key=value``.

    Args:
        value: as written, without blanks.
        line: number of its line, from 1.
    """

    value: str
    line: int


class Section:
    """One section; reading a key by type marks it as used.

    Args:
        path: the file, for messages.
        name: what stands in the brackets.
        line: number of the bracket's line, from 1.
        entries: its keys in order.
    """

    def __init__(self, path: str, name: str, line: int, entries: dict[str, Entry] | None = None):
        self.path = path
        self.name = name
        self.line = line
        self.entries = entries or {}
        self._used: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def error(self, problem: str, key: str | None = None) -> UserError:
        """Return an error about this section, or about the line of one of its keys."""
        line = self.entries[key].line if key in self.entries else self.line
        return UserError(f"{self.path}:{line}: [{self.name}] {problem}")

    def get_text(self, key: str, default: str | None = None) -> str:
        """Return a value as written, without blanks.

        Raises:
            UserError: it is absent, and there is no default.
        """
        self._used.add(key)
        if key in self.entries:
            return self.entries[key].value
        if default is None:
            raise self.error(f"has no {key}; is the file cut short?")
        return default

    def get_int(self, key: str, default: int | None = None, least: int | None = None) -> int:
        """Return a whole number.

        Raises:
            UserError: it is absent without a default, no whole number, or under ``least``.
        """
        value = self._number(key, int, "a whole number", default)
        if least is not None and value < least:
            raise self.error(f"{key}={value}: expected {least} or more", key)
        return value

    def get_float(self, key: str, default: float | None = None) -> float:
        """Return a number.

        Raises:
            UserError: it is absent without a default, or no number.
        """
        return self._number(key, float, "a number", default)

    def get_ints(self, key: str) -> tuple[int, ...]:
        """Return a list of whole numbers.

        Raises:
            UserError: it is absent, empty, or holds something else.
        """
        return self._list(key, int, "whole numbers")

    def get_floats(self, key: str) -> tuple[float, ...]:
        """Return a list of numbers.

        Raises:
            UserError: it is absent, empty, or holds something else.
        """
        return self._list(key, float, "numbers")

    def unread(self) -> tuple[str, ...]:
        """Return the keys that nobody asked for."""
        return tuple(key for key in self.entries if key not in self._used)

    def _number(self, key: str, kind: Callable[[str], T], what: str, default: T | None) -> T:
        if key not in self.entries and default is not None:
            self._used.add(key)
            return default
        value = self.get_text(key)
        try:
            return kind(value)
        except ValueError:
            raise self.error(f"{key}={value}: expected {what}", key) from None

    def _list(self, key: str, kind: Callable[[str], T], what: str) -> tuple[T, ...]:
        value = self.get_text(key)
        try:
            return tuple(kind(part) for part in value.rstrip(",").split(","))
        except ValueError:
            raise self.error(f"{key}={value}: expected {what} with commas between them", key) from None


@dataclasses.dataclass(frozen=True)
class Cfg:
    """A file's sections in order; the first is ``[net]``.

    Args:
        path: where it was read from.
        sections: all of them.
    """

    path: str
    sections: tuple[Section, ...]

    def to_text(self) -> str:
        """Return the sections as a cfg file, without the original's comments."""
        return "\n".join(_section_text(section) for section in self.sections)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the cfg.

        Raises:
            UserError: the file cannot be written.
        """
        try:
            Path(path).write_text(self.to_text(), encoding="utf-8")
        except OSError as error:
            raise UserError(f"{os.fspath(path)}: cannot be written ({error.strerror or error})") from error

    def replaced(self, changes: Iterable[tuple[int, dict[str, str]]]) -> Cfg:
        """Return a cfg with other values.

        Args:
            changes: for sections by their place (``[net]`` is 0) the keys to set, present or new.
        """
        by_place = dict(changes)
        sections = []
        for place, section in enumerate(self.sections):
            entries = dict(section.entries)
            for key, value in by_place.get(place, {}).items():
                entries[key] = Entry(value, entries[key].line if key in entries else section.line)
            sections.append(Section(section.path, section.name, section.line, entries))
        return Cfg(self.path, tuple(sections))


def read_cfg(path: str | os.PathLike[str]) -> Cfg:
    """Read a cfg file: darknet's, or AlexeyAB's dialect of it.

    ``#`` and ``;`` begin comments, blanks do not matter, a section's name may come again and again.

    Raises:
        UserError: it cannot be read, is no text, does not begin with ``[net]``, a line is no ``key=value``,
            or a section says a key twice with different values.
    """
    path = os.fspath(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    if b"\0" in data:
        raise UserError(f"{path}: is no text; expected a darknet cfg file")
    # Comments come in any encoding; what counts is ASCII.
    return parse_cfg(data.decode("utf-8-sig", errors="replace").splitlines(), path)


def parse_cfg(lines: Sequence[str], path: str) -> Cfg:
    """Turn the lines of a cfg file into its sections.

    Args:
        lines: the text.
        path: the file, for messages.

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
    """Enter a ``key=value`` line into its section."""
    key, equals, value = line.partition("=")
    place = f"{section.path}:{number}: [{section.name}]"
    if not (key and equals and value):
        raise UserError(f"{place} {line!r}: expected key=value; is the file cut short?")
    first = section.entries.setdefault(key, Entry(value, number))
    if first.value != value:
        raise UserError(f"{place} {line}: but line {first.line} says {key}={first.value}")


def _section_text(section: Section) -> str:
    lines = [f"[{section.name}]", *(f"{key}={entry.value}" for key, entry in section.entries.items())]
    return "\n".join(lines) + "\n"
