"""BMP files with colour masks, decoded in Python: OpenCV ignores the masks of some headers.

Format: https://learn.microsoft.com/windows/win32/api/wingdi/ns-wingdi-bitmapinfoheader.
"""

from __future__ import annotations

import struct

import numpy as np

_HEADER = 14  # offset of the second header, which begins with its own size
_MASKS = _HEADER + 40  # after the fields of the oldest header with masks; inside newer headers
_WITH_MASKS = (40, 52, 56, 108, 124)  # sizes of headers that can have masks
_BITFIELDS, _ALPHA_BITFIELDS = 3, 6


def has_masks(data: bytes) -> bool:
    """Return whether a BMP has colour masks and integer pixels of 16 or 32 bits."""
    if len(data) < _MASKS or struct.unpack_from("<I", data, _HEADER)[0] not in _WITH_MASKS:
        return False
    bits, compression = struct.unpack_from("<HI", data, _HEADER + 14)
    return bits in (16, 32) and compression in (_BITFIELDS, _ALPHA_BITFIELDS)


def decode_bmp(data: bytes) -> np.ndarray:
    """Decode a BMP for which :func:`has_masks` into (H, W, 3) uint8 RGB; each channel's maximum becomes 255.

    Raises:
        ValueError: the file is damaged or cut short.
    """
    if len(data) < _MASKS + 12:
        raise ValueError("its header is cut short")
    start = struct.unpack_from("<I", data, 10)[0]
    width, height, _, bits = struct.unpack_from("<iiHH", data, _HEADER + 4)
    if width < 1 or height == 0:
        raise ValueError("its header has a number that cannot be")
    rows, row = abs(height), -(-width * bits // 32) * 4  # bytes per row: a multiple of four
    if start + rows * row > len(data):
        raise ValueError(f"it has {max(len(data) - start, 0):,} of {rows * row:,} bytes of pixels")
    stored = np.frombuffer(data, np.uint8, rows * row, start).reshape(rows, row)
    pixels = stored.view("<u4" if bits == 32 else "<u2")[:, :width]
    planes = [_plane(pixels, mask) for mask in struct.unpack_from("<III", data, _MASKS)]
    image = np.stack(planes, axis=2)
    return np.ascontiguousarray(image if height < 0 else image[::-1])


def _plane(pixels: np.ndarray, mask: int) -> np.ndarray:
    """Return the channel (H, W) uint8 of a mask; all zeros for an empty mask."""
    lowest = mask & -mask
    if not mask:
        return np.zeros(pixels.shape, np.uint8)
    samples = (pixels & mask).astype(np.uint32) // lowest
    brightest = mask // lowest
    return (
        samples.astype(np.uint8)
        if brightest == 255
        else np.rint(samples * (255 / brightest)).astype(np.uint8)
    )
