"""EXIF orientation: read it from an image file, and turn pixels, sizes and boxes upright.

A camera stores pixels as the sensor was held, and a number from 1 (upright) to 8 that says how to turn them.
"Stored" means before turning, "upright" after it; the rest of this package uses upright images. The
orientation tag of a TIFF file has the same meaning.
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
"""The orientation of pixels that are upright as stored."""
_APP1 = 0xE1
_HEAD = b"Exif\0\0"  # before the EXIF data in a JPEG, and by mistake in other files
_PROFILES = (b"Raw profile type exif\0", b"Raw profile type APP1\0")
_LONGEST_PROFILE = 1 << 20  # bytes of text
_SIDEWAYS = frozenset({5, 6, 7, 8})
# For each orientation: whether to transpose, and which axis to mirror afterwards: 0 rows, 1 columns, -1 both.
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
    """Return the EXIF orientation, 1 to 8, of an image file's bytes; 1 where there is none.

    Read from JPEG (EXIF segment), PNG (``eXIf``, or ImageMagick's raw profile in a text chunk), WebP
    (``EXIF``) and TIFF; the byte order is that of the EXIF data.
    """
    exif = _exif(data)
    if not exif:
        return UPRIGHT
    number = tiff.first_number(next(tiff.directories(exif), {}), tiff.ORIENTATION, UPRIGHT)
    return number if number in _TURNS else UPRIGHT


def turned_hw(size_hw: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return the upright (height, width) of a stored size, or the stored one of an upright size."""
    return (size_hw[1], size_hw[0]) if orientation in _SIDEWAYS else size_hw


def turn(image: np.ndarray, orientation: int) -> np.ndarray:
    """Return stored pixels (H, W) or (H, W, 3) upright; the same array when they are upright already."""
    transposed, mirrored = _TURNS[orientation]
    if transposed:
        image = cv2.transpose(image)
    return image if mirrored is None else cv2.flip(image, mirrored)


def turn_boxes(boxes_xyxy: np.ndarray, orientation: int, stored_hw: tuple[int, int]) -> np.ndarray:
    """Convert boxes (N, 4) of the stored image to boxes of the upright image.

    Corners are continuous: an image of width W ends at x = W. An invalid box, such as one with swapped
    corners, stays invalid.

    Args:
        boxes_xyxy: corners in pixels of the stored image.
        orientation: 1 to 8.
        stored_hw: the stored image's (height, width) in pixels.

    Returns:
        (N, 4) corners in pixels of the upright image.
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
    """Return an image file's EXIF data, which begins as a TIFF file does; empty when there is none."""
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
    """Return the EXIF data that ImageMagick writes into a PNG as text (name, length, hex); empty if none."""
    for name, start, end in png_chunks(data):
        if name not in (b"zTXt", b"tEXt") or not data.startswith(_PROFILES, start):
            continue
        text = data[start:end].partition(b"\0")[2]
        try:
            if name == b"zTXt":  # the first byte is the compression method; only zlib exists
                text = zlib.decompressobj().decompress(text[1:], _LONGEST_PROFILE)
            exif = bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
        except (ValueError, zlib.error):
            continue
        return exif[len(_HEAD) :] if exif.startswith(_HEAD) else exif
    return b""
