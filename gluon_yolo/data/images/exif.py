"""EXIF's orientation: what an image file says of it, and pixels, sizes and boxes turned upright.

A camera stores pixels as its sensor lay, and writes how to turn them to see the scene upright: a number from
1 (as they lie) to 8. "Stored" is an image before turning, "upright" after; all else in this package is
upright. The same number in a TIFF's own tag means the same.
"""

from __future__ import annotations

import zlib

import cv2
import numpy as np

from gluon_yolo.data.images import tiff
from gluon_yolo.data.images.segments import (
    JPEG,
    PNG,
    RIFF,
    START_OF_FRAME,
    jpeg_segments,
    png_chunks,
    riff_chunks,
)

UPRIGHT = 1
"""The orientation of pixels that need no turning."""
_APP1 = 0xE1
_HEAD = b"Exif\0\0"  # in front of the EXIF data in a JPEG, and by mistake in other files
_PROFILES = (b"Raw profile type exif\0", b"Raw profile type APP1\0")
_LONGEST_PROFILE = 1 << 20  # bytes of its text
_SIDEWAYS = frozenset({5, 6, 7, 8})
# For each orientation whether rows become columns, and what is mirrored then: 0 rows, 1 columns, -1 both.
_TURNS: dict[int, tuple[bool, int | None]] = {
    1: (False, None),
    2: (False, 1),
    3: (False, -1),
    4: (False, 0),
    5: (True, None),
    6: (True, 1),
    7: (True, -1),
    8: (True, 0),
}


def orientation_of(data: bytes) -> int:
    """Return the orientation, 1 to 8, that an image file's content gives; 1 where it gives none.

    JPEG (its EXIF segment), PNG (``eXIf``, or ImageMagick's raw profile in a text), WebP (``EXIF``) and TIFF
    are known; EXIF's own byte order counts.
    """
    exif = _exif(data)
    if not exif:
        return UPRIGHT
    number = tiff.first_number(next(tiff.directories(exif), {}), tiff.ORIENTATION, UPRIGHT)
    return number if number in _TURNS else UPRIGHT


def turned_hw(size_hw: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return the upright (height, width) of a stored one, and likewise the stored of an upright one."""
    return (size_hw[1], size_hw[0]) if orientation in _SIDEWAYS else size_hw


def turn(image: np.ndarray, orientation: int) -> np.ndarray:
    """Return stored pixels (H, W) or (H, W, 3) upright; the array itself where nothing is to be turned."""
    transposed, mirrored = _TURNS[orientation]
    if transposed:
        image = cv2.transpose(image)
    return image if mirrored is None else cv2.flip(image, mirrored)


def turn_boxes(boxes_xyxy: np.ndarray, orientation: int, stored_hw: tuple[int, int]) -> np.ndarray:
    """Return boxes (N, 4) of the stored image as those of the upright one.

    Corners are continuous: an image of width W ends at x = W. What is wrong with a box, such as corners in
    the wrong order, stays wrong.

    Args:
        boxes_xyxy: corners in pixels of the stored image.
        orientation: 1 to 8.
        stored_hw: its (height, width) in pixels.
    """
    transposed, mirrored = _TURNS[orientation]
    x1, y1, x2, y2 = np.asarray(boxes_xyxy).reshape(-1, 4).T
    if transposed:
        x1, y1, x2, y2 = y1, x1, y2, x2
    height, width = turned_hw(stored_hw, orientation)
    if mirrored in (1, -1):
        x1, x2 = width - x2, width - x1
    if mirrored in (0, -1):
        y1, y2 = height - y2, height - y1
    return np.stack([x1, y1, x2, y2], axis=1)


def _exif(data: bytes) -> bytes:
    """Return the EXIF data of an image file, which begins as a TIFF file does; empty where it has none."""
    if data.startswith(JPEG):
        for marker, start, end in jpeg_segments(data):
            if marker == _APP1 and data.startswith(_HEAD, start):
                return data[start + len(_HEAD) : end]
            if marker in START_OF_FRAME:
                break
        return b""
    if data.startswith(PNG):
        found = next((part for part in png_chunks(data) if part[0] == b"eXIf"), None)
        if found is None:
            return _raw_profile(data)
    elif data.startswith(RIFF):
        found = next((part for part in riff_chunks(data) if part[0] == b"EXIF"), None)
    else:
        return data
    exif = data[found[1] : found[2]] if found else b""
    return exif[len(_HEAD) :] if exif.startswith(_HEAD) else exif


def _raw_profile(data: bytes) -> bytes:
    """Return the EXIF data that ImageMagick puts into a PNG as text: name, length, digits; empty if none."""
    for name, start, end in png_chunks(data):
        if name not in (b"zTXt", b"tEXt") or not data.startswith(_PROFILES, start):
            continue
        text = data[start:end].partition(b"\0")[2]
        try:
            if name == b"zTXt":  # its first byte is the way of compression, of which there is one
                text = zlib.decompressobj().decompress(text[1:], _LONGEST_PROFILE)
            exif = bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
        except (ValueError, zlib.error):
            continue
        return exif[len(_HEAD) :] if exif.startswith(_HEAD) else exif
    return b""
