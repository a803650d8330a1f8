"""TIFF directories: numbers of the tags of a TIFF file, or of the EXIF data in another file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

ORIENTATION = 274
WIDTH, HEIGHT, BITS, COMPRESSION, COLOURS, MAKE, SAMPLES = 256, 257, 258, 259, 262, 271, 277
NEW_SUBFILE, SUBFILE, MAX_SAMPLE, SUBDIRECTORIES = 254, 255, 281, 330
EXTRA_SAMPLES, SAMPLE_FORMAT, DNG_VERSION = 338, 339, 50706
"""Tags, with names close to those of the TIFF specification."""

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
}  # bytes of a number by its type, for integer types
_MOST_ENTRIES, _MOST_NUMBERS, _MOST_DIRECTORIES = 4096, 16, 4096


class Entry(NamedTuple):
    """The value of a tag in a directory.

    Args:
        numbers: the first 16 of its integers; empty for other types.
        start: offset of the first number in the file.
        width: bytes of each number.
    """

    numbers: tuple[int, ...]
    start: int
    width: int


Directory = Mapping[int, Entry]


def byte_order(data: bytes) -> Order | None:
    """Return ``"little"`` or ``"big"`` when the data begins as TIFF does; None otherwise."""
    order = _ORDERS.get(data[:2])
    return order if order and _number(data, 2, 2, order) in (42, 43) else None


def directories(data: bytes) -> Iterator[Directory]:
    """Yield the readable directories of a TIFF or BigTIFF file, one for each page."""
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
    """Return a tag's first number, or ``default`` when it has none."""
    entry = directory.get(tag)
    return entry.numbers[0] if entry and entry.numbers else default


def with_numbers(data: bytes, tags: Mapping[int, int]) -> bytes:
    """Return the file with new first numbers for those of the tags that its first page contains."""
    page, order = next(directories(data), {}), byte_order(data) or "little"
    for tag, number in tags.items():
        entry = page.get(tag)
        if entry and entry.numbers and entry.numbers[0] != number:
            written = number.to_bytes(entry.width, order)
            data = data[: entry.start] + written + data[entry.start + entry.width :]
    return data


def _entry(data: bytes, place: int, wide: int, order: Order) -> tuple[int, Entry]:
    """Return the tag and the value of the entry at ``place``; ``wide`` is the bytes of an offset."""
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
    """Return an unsigned number; 0 when the file ends at or before it."""
    return int.from_bytes(data[place : place + width], order)
