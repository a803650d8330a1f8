"""Input size: what a user says of it -> height and width in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from gluon_yolo.errors import SettingError

LONGEST = 8192  # pixels of an input's side

Size = Union[int, str, Sequence[int]]
"""``416``, ``(320, 416)``, or a text such as ``"416"`` and, height first, ``"320x416"``."""


def size_hw_of(size: Size, setting: str = "size") -> tuple[int, int]:
    """Turn ``416``, ``(320, 416)``, ``"416"`` or ``"320x416"`` into (height, width) in pixels.

    Args:
        size: what was given.
        setting: that it was given for, by its name.

    Raises:
        SettingError: it is none of these, or longer than any machine's memory is made for.
    """
    sides = size if isinstance(size, Sequence) else [size]
    text = size if isinstance(size, str) else "x".join(map(str, sides))
    words = text.lower().split("x")
    if len(words) > 2 or not all(word.isdecimal() and int(word) for word in words):
        raise SettingError(f"{{{setting}}} {text!r}: expected pixels as 416 or, height first, 320x416")
    if max(map(int, words)) > LONGEST:
        raise SettingError(f"{{{setting}}} {text}: expected {LONGEST} pixels a side at most")
    return int(words[0]), int(words[-1])
