"""TIFF's directories: the numbers behind the tags of a TIFF file, or of the EXIF data in another file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

ORIENTATION = 274
WIDTH, BITS, COMPRESSION, COLOURS, MAKE, SAMPLES = 256, 258, 259, 262, 271, 277
NEW_SUBFILE, SUBFILE, MAX_SAMPLE, SUBDIRECTORIES = 254, 255, 281, 330
EXTRA_SAMPLES, SAMPLE_FORMAT, DNG_VERSION = 338, 339, 50706
"""Tags, by the names that the TIFF specification has for them, or nearly so."""

Order = Literal["little", "big"]
_ORDERS: Mapping[bytes, Order] = {b"II": "little", b"MM": "big"}
_WIDTHS = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    7: 1,
    13: 4,
    16: 8,
    18: 8,
}  # bytes of a number, by its type, if it is whole
_MOST_ENTRIES, _MOST_NUMBERS, _MOST_DIRECTORIES = 4096, 16, 4096


class Entry(NamedTuple):
    """What a directory has for a tag.

    Args:
        numbers: its whole numbers, the first 16 of them; empty where they are of another kind.
        start: where in the file they begin.
        width: bytes of each.
    """

    numbers: tuple[int, ...]
    start: int
    width: int


Directory = Mapping[int, Entry]


def byte_order(data: bytes) -> Order | None:
    """Return ``"little"`` or ``"big"`` of what begins as TIFF does, None of all else."""
    order = _ORDERS.get(data[:2])
    return order if order and _number(data, 2, 2, order) in (42, 43) else None


def directories(data: bytes) -> Iterator[Directory]:
    """Yield a file's directories, one for each page, as far as they can be read; BigTIFF's too."""
    order = byte_order(data)
    if order is None:
        return
    big = _number(data, 2, 2, order) == 43
    counts, each, wide = (8, 20, 8) if big else (2, 12, 4)
    place, seen = _number(data, 8 if big else 4, wide, order), set[int]()
    while place and place not in seen and place + counts <= len(data) and len(seen) < _MOST_DIRECTORIES:
        seen.add(place)
        count = _number(data, place, counts, order)
        start = place + counts
        if count > _MOST_ENTRIES:
            return
        yield dict(_entry(data, start + each * i, wide, order) for i in range(count))
        place = _number(data, start + each * count, wide, order)


def first_number(directory: Directory, tag: int, default: int) -> int:
    """Return a tag's first number, ``default`` where it has none."""
    entry = directory.get(tag)
    return entry.numbers[0] if entry and entry.numbers else default


def with_numbers(data: bytes, tags: Mapping[int, int]) -> bytes:
    """Return the file with other first numbers for those of the tags that its first page has."""
    page, order = next(directories(data), {}), byte_order(data) or "little"
    for tag, number in tags.items():
        entry = page.get(tag)
        if entry and entry.numbers and entry.numbers[0] != number:
            written = number.to_bytes(entry.width, order)
            data = data[: entry.start] + written + data[entry.start + entry.width :]
    return data


def _entry(data: bytes, place: int, wide: int, order: Order) -> tuple[int, Entry]:
    """Return a tag and what it has, of the entry at a place; ``wide`` is the width of an offset."""
    tag, kind = _number(data, place, 2, order), _number(data, place + 2, 2, order)
    count, width = _number(data, place + 4, wide, order), _WIDTHS.get(kind, 0)
    start = place + 4 + wide
    if width * count > wide:
        start = _number(data, start, wide, order)
    shown = min(count, _MOST_NUMBERS) if width else 0
    if start + shown * width > len(data):
        shown = 0
    numbers = tuple(_number(data, start + i * width, width, order) for i in range(shown))
    return tag, Entry(numbers, start, width)


def _number(data: bytes, place: int, width: int, order: Order) -> int:
    """Return an unsigned number, 0 where the file ends before."""
    return int.from_bytes(data[place : place + width], order)
