"""Text: numbers and words as people read them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def counted(number: int, noun: str, plural: str | None = None, form: str = "") -> str:
    """Return a number with its noun: ``1 class``, ``3 classes``.

    Args:
        number: how many.
        noun: what one of them is called.
        plural: what several are called; None puts an ``s`` behind the noun, or ``es`` where it ends in one.
        form: of the number, as ``format`` takes it; ``","`` parts the thousands.
    """
    plural = plural or f"{noun}{'es' if noun.endswith(('s', 'x', 'ch', 'sh')) else 's'}"
    return f"{number:{form}} {noun if number == 1 else plural}"


def near_words(word: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Return the known words that are most like a word that is not among them, whatever its case."""
    plain: dict[str, list[str]] = {}
    for name in known:
        plain.setdefault(name.casefold(), []).append(name)
    found = difflib.get_close_matches(word.casefold(), plain, n=most)
    return [name for key in found for name in plain[key]][:most]


def did_you_mean(word: str, known: Iterable[str], most: int = 1) -> str:
    """Return ``did you mean X? `` for an error about an unknown word; empty where nothing is near."""
    near = near_words(word, known, most)
    return f"did you mean {' or '.join(near)}? " if near else ""
