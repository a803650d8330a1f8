"""Checks of the transforms' arguments: each raises a ValueError that names the argument."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def check_range(name: str, limits: Sequence[float], most: float = np.inf, zero: bool = False) -> None:
    """Raise ValueError unless ``limits`` are two ascending numbers, above 0 (or 0) and at most ``most``."""
    if len(limits) != 2 or not 0 <= limits[0] <= limits[1] <= most or (limits[0] == 0 and not zero):
        least = "from 0 on" if zero else "above 0"
        up_to = f" and up to {most:g}" if np.isfinite(most) else ""
        raise ValueError(f"{name}: expected two ascending numbers {least}{up_to}, got {limits}")


def check_between(least: float, most: float = np.inf, **values: float) -> None:
    """Raise ValueError unless each value is from ``least`` to ``most``."""
    for name, value in values.items():
        if not least <= value <= most:
            up_to = f" to {most:g}" if np.isfinite(most) else " on"
            raise ValueError(f"{name}: expected a number from {least:g}{up_to}, got {value}")


def check_whole(name: str, values: Sequence[float], most: int) -> None:
    """Raise ValueError unless all values are integers from 0 to ``most``."""
    if not values or not all(isinstance(value, (int, np.integer)) and 0 <= value <= most for value in values):
        raise ValueError(f"{name}: expected whole numbers from 0 to {most}, got {values}")


def check_color(name: str, color: Sequence[float]) -> None:
    """Raise ValueError unless ``color`` is three levels from 0 to 255."""
    check_whole(name, color, 255)
    if len(color) != 3:
        raise ValueError(f"{name}: expected three levels, red, green and blue, got {color}")
