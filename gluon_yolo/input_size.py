"""Input size: height and width of a network's input, as a user writes them."""

from __future__ import annotations

from gluon_yolo.errors import SettingError

LONGEST = 8192  # pixels of an input's side


def parse_size(text: str, setting: str = "size") -> tuple[int, int]:
    """Turn ``416`` or ``320x416`` into (height, width) in pixels.

    Args:
        text: one side, or height and width.
        setting: what an error calls it.

    Raises:
        SettingError: when it is neither, or longer than any machine's memory is made for.
    """
    words = text.lower().split("x")
    if len(words) > 2 or not all(word.isdecimal() and int(word) for word in words):
        raise SettingError(f"{{{setting}}} {text!r}: expected pixels as 416 or, height first, 320x416")
    if max(map(int, words)) > LONGEST:
        raise SettingError(f"{{{setting}}} {text}: expected {LONGEST} pixels a side at most")
    return int(words[0]), int(words[-1])
