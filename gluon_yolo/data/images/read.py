"""Read an image file into (H, W, 3) uint8 RGB, upright; or measure its size."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from gluon_yolo.data.images.decode import GREY, REDUCTIONS, decode_stored, unreadable
from gluon_yolo.data.images.exif import UPRIGHT, orientation_of, turn, turned_hw
from gluon_yolo.data.quality.report import BadFile

_DIM_BITS = 14


class Measure(NamedTuple):
    """Properties of an image, known after it was decoded once.

    Args:
        size_hw: upright (height, width) in pixels.
        orientation: EXIF orientation, 1 to 8; see :mod:`gluon_yolo.data.images.exif`.
        is_dim: whether it has 16-bit samples, none of them above a quarter of white.
    """

    size_hw: tuple[int, int]
    orientation: int = UPRIGHT
    is_dim: bool = False

    @property
    def stored_hw(self) -> tuple[int, int]:
        """The (height, width) of the pixels as stored, before turning."""
        return turned_hw(self.size_hw, self.orientation)


def read_image(path: str | os.PathLike[str], reduction: int = 1) -> np.ndarray:
    """Read an image file into (H, W, 3) uint8 RGB, upright by its EXIF orientation.

    Args:
        path: the file.
        reduction: one of ``REDUCTIONS``, as for :func:`decode_image`.

    Raises:
        BadFile: the file is missing, is not an image of a supported type, or is cut short.
    """
    return decode_image(read_bytes(path), os.fspath(path), reduction)


def decode_image(data: bytes, name: str, reduction: int = 1) -> np.ndarray:
    """Decode an image file's bytes into (H, W, 3) uint8 RGB, upright by its EXIF orientation.

    Args:
        data: the file's bytes.
        name: the file's name in messages.
        reduction: one of ``REDUCTIONS``: the sides are divided by it and rounded up; some types give the
            whole image. A JPEG is decoded at that scale, several times faster than in full.

    Raises:
        BadFile: the data is not an image of a supported type, or is cut short.
    """
    image, _ = decode_stored(data, name, REDUCTIONS[reduction])
    return turn(image, orientation_of(data))


def measure(path: str | os.PathLike[str]) -> Measure:
    """Return an image's size and orientation after decoding it fully, which proves that it is readable.

    Decoding to grey takes about half the time of :func:`read_image`.

    Raises:
        BadFile: as :func:`read_image`.
    """
    return measure_encoded(read_bytes(path), os.fspath(path))


def measure_encoded(data: bytes, name: str) -> Measure:
    """Return the same as :func:`measure` for an image file's bytes."""
    image, used_bits = decode_stored(data, name, GREY)
    orientation = orientation_of(data)
    size_hw = turned_hw((image.shape[0], image.shape[1]), orientation)
    return Measure(size_hw, orientation, used_bits <= _DIM_BITS)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return an image file's bytes.

    Raises:
        BadFile: the file is missing or cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError as error:
        missing = f"cannot read the picture: {error.strerror}"
        raise BadFile(os.fspath(path), missing, "missing-picture") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise unreadable(os.fspath(path), getattr(error, "strerror", None) or str(error)) from error
