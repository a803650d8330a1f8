"""Input size: height and width of a network's input, as a user writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from gluon_yolo.errors import SettingError

LONGEST = 8192  # pixels of an input's side
Size = Union[str, int, Sequence[int]]


def parse_size(size: Size, setting: str = "size") -> tuple[int, int]:
    """Turn ``416`` or ``320x416`` into (height, width) in pixels.

    Args:
        size: one side, or height and width: a text, a number, or a pair of numbers.
        setting: what an error calls it.

    Raises:
        SettingError: when it is neither, or longer than any machine's memory is made for.
    """
    if isinstance(size, str):
        text = size
    else:
        text = str(size) if isinstance(size, int) else "x".join(map(str, size))
    words = text.lower().split("x")
    if len(words) > 2 or not all(word.isdecimal() and int(word) for word in words):
        raise SettingError(f"{{{setting}}} {text!r}: expected pixels as 416 or, height first, 320x416")
    if max(map(int, words)) > LONGEST:
        raise SettingError(f"{{{setting}}} {text}: expected {LONGEST} pixels a side at most")
    return int(words[0]), int(words[-1])
