"""Values of COCO's records as other tools write them: numbers and marks as text, null, or not at all."""

from __future__ import annotations

import math
from typing import Any, Union

Identity = Union[int, str]
_TRUE, _FALSE = ("true", "yes"), ("", "false", "no", "none", "null")


def identity(value: Any) -> Identity:
    """Return an id, such that ``7``, ``7.0`` and ``"7"`` are one and the same.

    Args:
        value: what a record has.

    Returns:
        A whole number, or the text where it stands for none.

    Raises:
        ValueError: it is neither a whole number nor text.
    """
    if isinstance(value, str):
        return _identity_of_text(value.strip())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _whole(value)
    raise ValueError(f"{value!r} is no id")


def order(value: Identity) -> tuple[bool, int, str]:
    """Return what ids are sorted by: numbers first, by size, then texts."""
    return (True, 0, value) if isinstance(value, str) else (False, value, "")


def mark(value: Any) -> bool:
    """Say whether a mark such as ``iscrowd`` is set; null and an absent one are not.

    Raises:
        ValueError: it cannot be told.
    """
    if value is None:
        return False
    if isinstance(value, str):
        text = value.strip().lower()
        if text in _TRUE + _FALSE:
            return text in _TRUE
    number = positive(value, 0.0)
    if number is None:
        raise ValueError(f"{value!r} is neither 0 nor 1")
    return number > 0


def positive(value: Any, least: float) -> float | None:
    """Return a finite number from ``least`` on, of a number or of text; None for all else."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= least else None


def corners(bbox: Any) -> tuple[float, float, float, float]:
    """Turn ``[x, y, w, h]`` into ``x, y, x + w, y + h``.

    Raises:
        ValueError: it is no list of four numbers; says so, to follow "box".
    """
    if bbox is None or bbox == []:
        raise ValueError("has no bbox")
    try:
        if not isinstance(bbox, list):  # text has letters to count, too
            raise TypeError
        x, y, width, height = (float(number) for number in bbox)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("has a bbox that is no list of four numbers, [x, y, width, height]") from None
    return x, y, x + width, y + height


def _identity_of_text(text: str) -> Identity:
    if "_" in text:  # which Python takes within numbers
        return text
    try:
        return int(text)  # a float would round the long ones
    except ValueError:
        pass
    try:
        return _whole(float(text))
    except ValueError:
        return text


def _whole(number: float) -> int:
    if not number.is_integer():  # NaN and infinity are none either
        raise ValueError(f"{number!r} is no whole number")
    return int(number)
