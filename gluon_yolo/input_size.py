"""Input size: the height and width of a network's input, parsed from what a user writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from gluon_yolo.errors import SettingError

LONGEST = 8192  # largest side of an input, in pixels
Size = Union[str, int, Sequence[int]]


def parse_size(size: Size, setting: str = "size") -> tuple[int, int]:
    """Return (height, width) in pixels from ``416`` or ``320x416``.

    Args:
        size: one side, or height and width: a text, a number, or a pair of numbers.
        setting: the name of the setting in an error.

    Raises:
        SettingError: the size has another form, or a side above :data:`LONGEST`.
    """
    if isinstance(size, str):
        text = size
    else:
        text = str(size) if isinstance(size, int) else "x".join(map(str, size))
    words = text.lower().split("x")
    if len(words) > 2 or not all(word.isdecimal() and len(word) < 99 and int(word) for word in words):
        raise SettingError(f"{{{setting}}} {text!r}: expected pixels as 416 or, height first, 320x416")
    if max(map(int, words)) > LONGEST:
        raise SettingError(f"{{{setting}}} {text}: expected {LONGEST} pixels a side at most")
    return int(words[0]), int(words[-1])
