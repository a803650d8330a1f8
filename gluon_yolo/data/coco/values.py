"""Values of COCO records as other tools write them: numbers and marks as text, null, or missing."""

from __future__ import annotations

import math
from typing import Any, Union

Identity = Union[int, str]
_TRUE, _FALSE = ("true", "yes"), ("", "false", "no", "none", "null")


def identity(value: Any) -> Identity:
    """Return a normalised id: ``7``, ``7.0`` and ``"7"`` are equal.

    Args:
        value: the record's value.

    Returns:
        An integer, or the text when it is not a number.

    Raises:
        ValueError: the value is neither an integer nor text.
    """
    if isinstance(value, str):
        return _identity_of_text(value.strip())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _whole(value)
    raise ValueError(f"{value!r} is no id")


def order(value: Identity) -> tuple[bool, int, str]:
    """Return the sort key of ids: numbers first, by value, then texts."""
    return (True, 0, value) if isinstance(value, str) else (False, value, "")


def mark(value: Any) -> bool:
    """Return whether a mark such as ``iscrowd`` is set; null and a missing one are not.

    Raises:
        ValueError: the value is not a mark.
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
    """Return a finite number of at least ``least`` from a number or text; None for all other values."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= least else None


def corners(bbox: Any) -> tuple[float, float, float, float]:
    """Convert ``[x, y, w, h]`` to ``x, y, x + w, y + h``.

    Raises:
        ValueError: the value is not a list of four numbers; the message continues "box".
    """
    if bbox is None or bbox == []:
        raise ValueError("has no bbox")
    try:
        if not isinstance(bbox, list):  # a text of four digits could be unpacked too
            raise TypeError
        x, y, width, height = (float(number) for number in bbox)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("has a bbox that is no list of four numbers, [x, y, width, height]") from None
    return x, y, x + width, y + height


def _identity_of_text(text: str) -> Identity:
    if "_" in text:  # Python accepts it inside numbers
        return text
    try:
        return int(text)  # a float rounds long numbers
    except ValueError:
        pass
    try:
        return _whole(float(text))
    except ValueError:
        return text


def _whole(number: float) -> int:
    if not number.is_integer():  # includes NaN and infinity
        raise ValueError(f"{number!r} is no whole number")
    return int(number)
