"""Segments and chunks of image files (JPEG, PNG, RIFF): their names and the positions of their content."""

from __future__ import annotations

from collections.abc import Iterator

JPEG, PNG, RIFF = b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF"
"""The first bytes of JPEG files, PNG files and RIFF files."""
JPEG_SCAN, JPEG_END = 0xDA, 0xD9
START_OF_FRAME = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""The markers of a JPEG's frame header, which has its size and coding."""
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length field

Segment = tuple[int, int, int]
"""A JPEG marker, and the start and end of its content."""
Chunk = tuple[bytes, int, int]
"""A chunk's name, and the start and end of its content."""


def jpeg_segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments before a JPEG's pixels; the last one is the header of the scan."""
    place, last = len(JPEG), len(data) - 4
    while place <= last and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # a marker may have fill bytes before it
            place += 1
        elif marker in _ALONE:
            place += 2
        elif marker == JPEG_END:
            return
        else:
            end = place + 2 + (data[place + 2] << 8 | data[place + 3])
            yield marker, place + 4, end
            if marker == JPEG_SCAN:
                return
            place = end


def png_chunks(data: bytes) -> Iterator[Chunk]:
    """Yield the complete chunk headers of a PNG."""
    place = len(PNG)
    while place + 8 <= len(data):
        start = place + 8
        end = start + int.from_bytes(data[place : place + 4], "big")
        yield data[place + 4 : start], start, end
        place = end + 4  # skip the check sum


def png_reaches_too_far(data: bytes) -> bool:
    """Return whether a chunk before a PNG's end is longer than the file: OpenCV reserves what it asks for."""
    for name, _, end in png_chunks(data):
        if end > len(data):
            return True
        if name == b"IEND":
            return False
    return False


def riff_chunks(data: bytes) -> Iterator[Chunk]:
    """Yield the complete chunk headers of a RIFF file such as WebP."""
    place = 12
    while place + 8 <= len(data):
        start = place + 8
        end = start + int.from_bytes(data[place + 4 : start], "little")
        yield data[place : place + 4], start, end
        place = end + (end & 1)
