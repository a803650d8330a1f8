"""Pixel arrays of a program -> images (H, W, 3) uint8."""

from __future__ import annotations

import numpy as np

from gluon_yolo.data.images.decode import DIM_BITS
from gluon_yolo.errors import UserError


def as_image(array: np.ndarray, name: str = "the picture") -> np.ndarray:
    """Convert an array of pixels of any usual type to (H, W, 3) uint8.

    Args:
        array: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), whose fourth channel (opacity) is dropped; uint8,
            uint16 (65535 is white), bool, or floating-point numbers in 0..1.
        name: the image's name in messages.

    Returns:
        The image, with its channels in the given order; the same array when it is (H, W, 3) uint8 already.

    Raises:
        UserError: the array has another shape or type, or is uint16 and nearly black, as 12-bit pixels are.
    """
    wrong = f"{name} is an array {array.shape} of {array.dtype}"
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        hint = "; its channels come first: transpose it to (1, 2, 0)" if _channels_first(array) else ""
        raise UserError(f"{wrong}; expected (H, W), (H, W, 1), (H, W, 3) or (H, W, 4){hint}")
    if not array.size:
        raise UserError(f"{wrong}: it has no pixels")
    array = array[:, :, :3]
    if array.dtype == np.uint16:
        most = int(array.max())
        if 0 < most < 1 << DIM_BITS:
            raise UserError(
                f"{wrong} with values up to {most}, where 65535 is white: all but black. Of 12 bits give "
                "(array >> 4).astype(np.uint8); of another white divide by it, and give numbers in 0..1"
            )
        array = (array >> 8).astype(np.uint8)
    elif array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    elif array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):
            raise UserError(
                f"{wrong} with values {low:g} to {high:g}; floating-point pixels must be within 0 and 1: "
                "divide them by their white, or give uint8 of 0..255"
            )
        array = np.rint(array * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        hint = "; of 0..255 give array.astype(np.uint8)" if array.dtype.kind in "iu" else ""
        raise UserError(
            f"{wrong}; expected uint8, uint16, bool, or floating-point numbers within 0 and 1{hint}"
        )
    return array if array.shape[2] == 3 else np.repeat(array, 3, axis=2)


def _channels_first(array: np.ndarray) -> bool:
    return array.ndim == 3 and array.shape[0] in (1, 3, 4)
