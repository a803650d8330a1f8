"""One section of a darknet cfg: its keys, each with its line number, read by type."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from gluon_yolo.errors import UserError

T = TypeVar("T")
_WHOLE = re.compile(r"[+-]?\d+(\.0*)?")  # darknet's atoi stops at the point
_LARGEST = 2**31 - 1  # darknet's int: what lies beyond is damage, and mxnet reads no more either
_WHOLE_NUMBER = f"a whole number within {_LARGEST} and its negative"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclasses.dataclass(frozen=True)
class Entry:
    """The value of a key.

    Args:
        value: as written, without spaces.
        line: its line number, from 1.
    """

    value: str
    line: int


class Section:
    """A section of a cfg; reading a key by type marks it as used.

    Args:
        path: of the file, for messages.
        name: the text in the brackets.
        line: line number of the bracket, from 1.
        entries: the keys in order; a key that repeats has its first value, as in darknet.
        repeated: the later values of such keys, each with its key, where they differ.
    """

    def __init__(
        self,
        path: str,
        name: str,
        line: int,
        entries: dict[str, Entry] | None = None,
        repeated: Iterable[tuple[str, Entry]] = (),
    ) -> None:
        self.path = path
        self.name = name
        self.line = line
        self.entries = entries or {}
        self.repeated = list(repeated)
        self._used: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def place(self, key: str | None = None) -> str:
        """Return file, line of a key or of the bracket, and section name, as the beginning of a message."""
        line = self.entries[key].line if key in self.entries else self.line
        return f"{self.path}:{line}: [{self.name}]"

    def error(self, problem: str, key: str | None = None) -> UserError:
        """Return an error about this section, or about the line of one of its keys."""
        return UserError(f"{self.place(key)} {problem}")

    def get_text(self, key: str, default: str | None = None) -> str:
        """Return a value as written, without spaces.

        Raises:
            UserError: the key is absent, and there is no default.
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
            UserError: the key is absent without a default, no whole number, below ``least``, or outside the
                range of darknet's 32 bits.
        """
        value = self._number(key, _whole, _WHOLE_NUMBER, default)
        if least is not None and value < least:
            raise self.error(f"{key}={value}: expected {least} or more", key)
        return value

    def get_float(
        self,
        key: str,
        default: float | None = None,
        least: float | None = None,
        above: float | None = None,
        below: float | None = None,
    ) -> float:
        """Return a number.

        Args:
            key: of the number.
            default: for an absent key; None makes the key required.
            least: smallest value.
            above: the value must be larger than this.
            below: the value must be smaller than this.

        Raises:
            UserError: the key is absent without a default, no finite number, or out of its range.
        """
        value = self._number(key, _real, "a number", default)
        limits = [
            (least is None or value >= least, f"of {least} or more"),
            (above is None or value > above, f"above {above}"),
            (below is None or value < below, f"below {below}"),
        ]
        for holds, wanted in limits:
            if not holds:
                raise self.error(f"{key}={self.get_text(key)}: expected a number {wanted}", key)
        return value

    def get_ints(self, key: str) -> tuple[int, ...]:
        """Return a list of whole numbers.

        Raises:
            UserError: the key is absent or empty, or a part is no whole number of darknet's 32 bits.
        """
        return self._list(key, _whole, "whole numbers with commas between them, each within 32 bits")

    def get_floats(self, key: str) -> tuple[float, ...]:
        """Return a list of numbers.

        Raises:
            UserError: the key is absent or empty, or a part is no number.
        """
        return self._list(key, _real, "numbers with commas between them")

    def unread(self) -> tuple[str, ...]:
        """Return the keys that no ``get`` method has read."""
        return tuple(key for key in self.entries if key not in self._used)

    def copy(self, changes: dict[str, str] | None = None) -> Section:
        """Return a copy with other values of some keys, present or new, in which no key counts as read."""
        entries = dict(self.entries)
        for key, value in (changes or {}).items():
            entries[key] = Entry(value, entries[key].line if key in entries else self.line)
        repeated = [(key, entry) for key, entry in self.repeated if key not in (changes or {})]
        return Section(self.path, self.name, self.line, entries, repeated)

    def _number(self, key: str, kind: Callable[[str], T], what: str, default: T | None) -> T:
        if key not in self.entries and default is not None:
            self._used.add(key)
            return default
        value = self.get_text(key)
        try:
            return kind(value.rstrip(","))
        except ValueError:
            raise self.error(f"{key}={value}: expected {what}", key) from None

    def _list(self, key: str, kind: Callable[[str], T], what: str) -> tuple[T, ...]:
        value = self.get_text(key)
        try:
            return tuple(kind(part) for part in value.rstrip(",").split(","))
        except ValueError:
            raise self.error(f"{key}={value}: expected {what}", key) from None


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(text)
    value = int(text.partition(".")[0])
    if abs(value) > _LARGEST:
        raise ValueError(text)
    return value


def _real(text: str) -> float:
    if not (_NUMBER.fullmatch(text) and math.isfinite(float(text))):
        raise ValueError(text)
    return float(text)
