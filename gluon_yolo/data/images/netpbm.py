"""Netpbm images (PBM, PGM, PPM, PNM, PAM), decoded in Python: OpenCV ignores their white level, ``maxval``.

Format: https://netpbm.sourceforge.net/doc/pnm.html and pam.html.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

_TOKEN = re.compile(rb"(?:\s|#[^\n\r]*[\n\r])*([^\s#]+)")
_PAM_LINE = re.compile(rb"\s*(?:#[^\n]*\n\s*)*(\w+)[ \t]*([^\n]*)\n")
_BITS, _PAM = (1, 4), 7
_PLAIN = 3  # P1 to P3 write numbers as text
_CHANNELS = {1: 1, 2: 1, 3: 3, 4: 1, 5: 1, 6: 3}
_WIDEST = 65535


class Netpbm(NamedTuple):
    """A decoded file.

    Args:
        image: (H, W, 3) uint8 RGB.
        brightest: the largest sample, before scaling.
        white: the white level from the header.
    """

    image: np.ndarray
    brightest: int
    white: int


def size_of(data: bytes) -> tuple[int, int]:
    """Return width and height from a file's header.

    Raises:
        ValueError: the header is damaged or cut short.
    """
    kind = int(data[1:2])
    width, height, *_ = (_pam_header(data) if kind == _PAM else _header(data, kind))[0]
    return width, height


def decode_netpbm(data: bytes) -> Netpbm:
    """Decode a file's bytes; white becomes 255, and opacity is dropped.

    Raises:
        ValueError: the file is damaged or cut short.
    """
    kind = int(data[1:2])
    if kind == _PAM:
        (width, height, channels, white), start = _pam_header(data)
    else:
        (width, height, white), start = _header(data, kind)
        channels = _CHANNELS[kind]
    if min(width, height, channels, white) < 1 or white > _WIDEST or channels > 4:
        raise ValueError("its header has a number that cannot be")
    samples = _samples(data, start, kind, (height, width, channels), white)
    samples = samples[:, :, :3] if channels > 2 else samples[:, :, :1]
    scaled = samples if white == 255 else (samples.astype(np.float32) * (255 / white)).round()
    image = np.minimum(scaled, 255).astype(np.uint8)
    image = image if channels > 2 else np.repeat(image, 3, axis=2)
    return Netpbm(np.ascontiguousarray(image), int(samples.max()), white)


def _header(data: bytes, kind: int) -> tuple[tuple[int, int, int], int]:
    """Return width, height and white level, and the offset of the samples."""
    place, numbers = 2, []
    for _ in range(2 if kind in _BITS else 3):
        token = _TOKEN.match(data, place)
        if token is None or not token.group(1).isdigit():
            raise ValueError("its header is cut short, or no number")
        numbers.append(int(token.group(1)))
        place = token.end()
    width, height, white = (*numbers, 1)[:3]
    return (width, height, white), place + 1  # one blank separates the header from the samples


def _pam_header(data: bytes) -> tuple[tuple[int, int, int, int], int]:
    """Return width, height, channels and white level, and the offset of the samples."""
    found: dict[bytes, bytes] = {}
    place = 2
    while (line := _PAM_LINE.match(data, place)) and line.group(1) != b"ENDHDR":
        found[line.group(1)], place = line.group(2).strip(), line.end()
    keys = (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL")
    if line is None or not all(found.get(key, b"").isdigit() for key in keys):
        raise ValueError("its header is cut short, or no number")
    width, height, channels, white = (int(found[key]) for key in keys)
    return (width, height, channels, white), line.end()


def _samples(data: bytes, start: int, kind: int, shape: tuple[int, int, int], white: int) -> np.ndarray:
    """Return the unscaled samples (H, W, C); a PBM's are inverted, so that 1 is white."""
    count = shape[0] * shape[1] * shape[2]
    if kind == 1:
        digits = np.frombuffer(re.sub(rb"#[^\n\r]*|[^01]", b"", data[start - 1 :]), dtype=np.uint8)[:count]
        return 1 - (_whole(digits, count).reshape(shape) - ord("0"))
    if kind <= _PLAIN:
        words = re.sub(rb"#[^\n\r]*", b"", data[start - 1 :]).split()[:count]
        return _whole(np.array(words, dtype=np.int64), count).reshape(shape)
    if kind == 4:
        row = -(-shape[1] // 8)
        packed = _whole(
            np.frombuffer(data, np.uint8, offset=min(start, len(data)))[: row * shape[0]], row * shape[0]
        )
        bits = np.unpackbits(packed.reshape(shape[0], row), axis=1)[:, : shape[1]]
        return 1 - bits[:, :, None]
    wide = np.dtype(">u2" if white > 255 else "u1")
    body = data[start : start + count * wide.itemsize]
    return _whole(np.frombuffer(body[: len(body) // wide.itemsize * wide.itemsize], wide), count).reshape(
        shape
    )


def _whole(samples: np.ndarray, count: int) -> np.ndarray:
    """Return the samples, after a check that there are ``count`` of them."""
    if len(samples) < count:
        raise ValueError(f"it ends after {len(samples):,} of {count:,} samples")
    return samples
