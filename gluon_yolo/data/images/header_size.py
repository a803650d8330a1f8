"""Header size: width and height as an image file's header says them, before anything is decoded.

A header of a few bytes can ask a decoder for gigabytes.
"""

from __future__ import annotations

import os
import re

from gluon_yolo.data.images import netpbm, tiff
from gluon_yolo.data.images.file_types import BMP, JPEG, JPEG2000, NETPBM, PNG, SUN, TIFF, WEBP, Kind
from gluon_yolo.data.images.jpeg2000 import CODESTREAM, size_of
from gluon_yolo.data.images.segments import START_OF_FRAME, jpeg_segments, riff_chunks

MOST_PIXELS = 1 << 28
"""Of an image that is read: 16384 x 16384, 0.8 GB as RGB."""
VARIABLE = "OPENCV_IO_MAX_IMAGE_PIXELS"
"""The environment variable with another limit, which is OpenCV's own name for its limit of 2^30."""


def most_pixels() -> int:
    """Return how many pixels an image may have."""
    given = os.environ.get(VARIABLE, "")
    return int(given) if re.fullmatch(r"[0-9]{1,18}", given) else MOST_PIXELS


def header_size(data: bytes, kind: Kind) -> tuple[int, int] | None:
    """Return the (width, height) that an image file's header says; None where it says none."""
    read = _READERS.get(kind)
    size = read(data) if read else None
    return size if size and min(size) > 0 else None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    for marker, start, _ in jpeg_segments(data):
        if marker in START_OF_FRAME:
            return _numbers(data, start + 3, start + 1, 2, "big")
    return None


def _png(data: bytes) -> tuple[int, int] | None:
    return _numbers(data, 16, 20, 4, "big") if data[12:16] == b"IHDR" else None


def _bmp(data: bytes) -> tuple[int, int] | None:
    if data[14:15] == b"\x0c":  # the header of OS/2 1
        return _numbers(data, 18, 20, 2, "little")
    size = _numbers(data, 18, 22, 4, "little")
    return None if size is None else (size[0], min(size[1], (1 << 32) - size[1]))  # rows from the top: < 0


def _webp(data: bytes) -> tuple[int, int] | None:
    for name, start, _ in riff_chunks(data):
        if name == b"VP8X":  # 24 bits each, less one
            size = _numbers(data, start + 4, start + 7, 3, "little")
            return None if size is None else (size[0] + 1, size[1] + 1)
        if name == b"VP8L" and start + 5 <= len(data):
            bits = int.from_bytes(data[start + 1 : start + 5], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        if name == b"VP8 ":
            size = _numbers(data, start + 6, start + 8, 2, "little")
            return None if size is None else (size[0] & 0x3FFF, size[1] & 0x3FFF)
    return None


def _tiff(data: bytes) -> tuple[int, int] | None:
    page = next(tiff.directories(data), {})
    return tiff.first_number(page, tiff.WIDTH, 0), tiff.first_number(page, tiff.HEIGHT, 0)


def _netpbm(data: bytes) -> tuple[int, int] | None:
    try:
        return netpbm.size_of(data)
    except ValueError:
        return None


def _jpeg2000(data: bytes) -> tuple[int, int] | None:
    start = data.find(CODESTREAM)
    head = data[start : start + 24] if start >= 0 else b""
    return size_of(head) if len(head) == 24 else None


def _sun(data: bytes) -> tuple[int, int] | None:
    return _numbers(data, 4, 8, 4, "big")


def _numbers(data: bytes, first: int, second: int, width: int, order: tiff.Order) -> tuple[int, int] | None:
    """Return the unsigned numbers at two places; None where the data ends before."""
    if max(first, second) + width > len(data):
        return None
    one, two = (int.from_bytes(data[place : place + width], order) for place in (first, second))
    return one, two


_READERS = {
    JPEG: _jpeg,
    PNG: _png,
    BMP: _bmp,
    WEBP: _webp,
    TIFF: _tiff,
    NETPBM: _netpbm,
    JPEG2000: _jpeg2000,
    SUN: _sun,
}
