"""Text of messages: numbers, nouns, times and spelling suggestions."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

_COUNT_DIGITS = 18


def exact(number: float) -> str:
    """Return the shortest decimal text that ``float`` reads as the same number: ``160``, ``0.00001``.

    ``%g`` keeps six digits and uses exponents, which not every reader of a list of numbers accepts: darknet
    stops at the ``e``.
    """
    if number == int(number):
        return str(int(number))
    import numpy as np  # here: `gluon-yolo --help` works without it

    return np.format_float_positional(float(number), trim="-")


def rounded(number: float, decimals: int, digits: int = 3) -> float:
    """Return a number >= 0 rounded to ``decimals``, but to at least ``digits`` significant digits.

    A whole number is returned as an ``int``.
    """
    value = round(number, decimals) if number >= 10 ** (1 - decimals) else float(f"{number:.{digits}g}")
    return int(value) if value == int(value) else value


def counted(number: float, noun: str, plural: str | None = None, form: str = "") -> str:
    """Return a number with its noun: ``1 class``, ``3 classes``.

    Args:
        number: the count.
        noun: the singular.
        plural: the plural; None appends ``s`` to the noun, or ``es`` after ``s``, ``x``, ``ch`` and ``sh``
            (not after ``epoch``, whose ``ch`` sounds as ``k``).
        form: the number's format, as ``format`` takes it; ``","`` separates the thousands.
    """
    hisses = noun.endswith(("s", "x", "ch", "sh")) and not noun.endswith("epoch")
    plural = plural or f"{noun}{'es' if hisses else 's'}"
    return f"{number:{form}} {noun if number == 1 else plural}"


def is_count(text: str) -> bool:
    """Return whether a text is a whole number from 0 on, and of at most 18 digits.

    Python converts no more than 4300, and nothing that is counted has as many.
    """
    return text.isdecimal() and len(text) <= _COUNT_DIGITS


def size_word(size_hw: Sequence[int]) -> str:
    """Return a height and width as flags take them: ``416``, or height first: ``320x416``."""
    height, width = size_hw
    return str(height) if height == width else f"{height}x{width}"


def near_words(word: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Return at most ``most`` known words that are spelled like an unknown word, without regard to case."""
    plain: dict[str, list[str]] = {}
    for name in known:
        plain.setdefault(name.casefold(), []).append(name)
    found = difflib.get_close_matches(word.casefold(), plain, n=most)
    return [name for key in found for name in plain[key]][:most]


def did_you_mean(word: str, known: Iterable[str], most: int = 1) -> str:
    """Return ``did you mean X? `` for an error about an unknown word; empty when no known word is similar."""
    near = near_words(word, known, most)
    return f"did you mean {' or '.join(near)}? " if near else ""


def duration(seconds: float) -> str:
    """Return a time in its two largest units: ``45 s``, ``12 min``, ``5 h 20 min``, ``3 days 4 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min"
    days, hours = divmod(round(minutes / 60), 24)
    return f"{days} days {hours} h"


def joined(words: Sequence[object]) -> str:
    """Return one or more words as a list in a sentence: ``a``, ``a and b``, ``a, b and c``."""
    *first, last = map(str, words)
    return f"{', '.join(first)} and {last}" if first else last


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message; the name of its class where it has no message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
