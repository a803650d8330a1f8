"""Numbers as text that is read again: every digit that counts, and no exponent."""

from __future__ import annotations

import numpy as np


def exact(number: float) -> str:
    """Return the shortest decimal text that ``float`` reads as the same number: ``160``, ``0.00001``.

    ``%g`` keeps six digits and turns to exponents, which not every reader of a list of numbers takes: darknet
    stops at the ``e``.
    """
    if number == int(number):
        return str(int(number))
    return np.format_float_positional(float(number), trim="-")


def rounded(number: float, decimals: int, digits: int = 3) -> float:
    """Return a number of 0 or more rounded to some decimals, but to no fewer digits, however small it is.

    A whole number comes as one.
    """
    value = round(number, decimals) if number >= 10 ** (1 - decimals) else float(f"{number:.{digits}g}")
    return int(value) if value == int(value) else value
