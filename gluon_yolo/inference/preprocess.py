"""Preprocessing: any image to the network's input size, and boxes back to the image's pixels.

Evaluation, ``demo`` and exported models all use this module, so that metrics and drawings of one model come
from the same pixels.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Protocol, Union

import numpy as np

from gluon_yolo.boxes import clip
from gluon_yolo.data.images.array import as_image
from gluon_yolo.data.images.read import read_image
from gluon_yolo.data.transforms.view import GREY, letterbox_place, resize
from gluon_yolo.errors import UserError


class PILImage(Protocol):
    """The part of PIL's ``Image`` that is used here, so that PIL need not be imported."""

    @property
    def mode(self) -> str:
        """PIL's name of the pixel format."""

    def load(self) -> Any:
        """Read the pixels from the file."""

    def convert(self, mode: str) -> Any:
        """Return the image in another mode."""


PathLike = Union[str, "os.PathLike[str]"]
Image = Union[np.ndarray, PathLike, PILImage]

# PIL modes whose arrays ``as_image`` interprets as PIL does. In the others, values are palette indices or no
# RGB colours, and PIL converts them.
_PLAIN_MODES = ("1", "L", "RGB", "RGBA", "RGBX", "I;16", "I;16L", "I;16B", "I;16N", "I", "F")


def load_image(given: Image) -> np.ndarray:
    """Turn an image into (H, W, 3) uint8 RGB.

    Args:
        given: the path of an image file, which is rotated by its EXIF orientation; an array in RGB order, as
            for :func:`gluon_yolo.data.images.read.as_image`; or a PIL image of any mode but I, F and La,
            which have no white level or no conversion to RGB. A PIL image is not rotated
            (``PIL.ImageOps.exif_transpose`` does that). An alpha channel is ignored.

    Raises:
        UserError: the argument is none of these, or cannot be read.
    """
    if isinstance(given, np.ndarray):
        return as_image(given)
    if isinstance(given, (str, os.PathLike)):
        return read_image(given)
    if isinstance(getattr(given, "mode", None), str) and callable(getattr(given, "convert", None)):
        return _of_pil(given)
    kind = f"{type(given).__module__}.{type(given).__qualname__}".removeprefix("builtins.")
    raise UserError(
        f"the picture is of type {kind}; expected a path, an array (H, W, 3) of uint8 in the order RGB, or "
        "PIL's image; of an mxnet array give picture.asnumpy(), of a torch tensor picture.numpy(), with the "
        "channels last"
    )


def _of_pil(image: PILImage) -> np.ndarray:
    """Return a PIL image as (H, W, 3) uint8 RGB."""
    name = f"the PIL image {getattr(image, 'filename', '')}".rstrip()
    try:
        image.load()  # PIL reads the file only now
        plain = image if image.mode in _PLAIN_MODES else image.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{name}, mode {image.mode}, cannot be read as RGB: {error}") from error
    array = np.asarray(plain)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)  # I;16B is big-endian
    return as_image(array, f"{name}, mode {image.mode},")


MODES = ("resize", "letterbox", "darknet")


@dataclasses.dataclass(frozen=True)
class InverseMap:
    """Map boxes from input pixels to the pixels of the image that was preprocessed.

    Args:
        scale_xy: input pixels per image pixel, along x and y.
        offset_xy: position of the image's top left corner in the input, in input pixels.
        image_hw: height and width of the image in pixels.
    """

    scale_xy: tuple[float, float]
    offset_xy: tuple[float, float]
    image_hw: tuple[int, int]

    def __call__(self, boxes: np.ndarray) -> np.ndarray:
        """Turn boxes (N, 4) in input pixels into float32 (N, 4) in the image's pixels, clipped to it."""
        moved = (np.asarray(boxes, dtype=np.float64) - np.tile(self.offset_xy, 2)) / np.tile(self.scale_xy, 2)
        return clip(moved, self.image_hw).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Preprocess:
    """Resize images to the network's input size.

    Args:
        mode: ``"resize"`` stretches each side by its own factor, as in training and validation.
            ``"letterbox"`` keeps the aspect ratio and fills the two margins with grey. ``"darknet"``
            stretches exactly as darknet: bilinear between four pixels, also when it shrinks, with aligned
            corner pixels.

    Raises:
        ValueError: the mode is none of these.
    """

    mode: str = "resize"

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode: expected one of {MODES}, got {self.mode!r}")

    def __call__(self, image: np.ndarray, size_hw: tuple[int, int]) -> tuple[np.ndarray, InverseMap]:
        """Turn an image into the network's input.

        Args:
            image: (H, W, 3) uint8.
            size_hw: height and width of the input in pixels.

        Returns:
            The input (h, w, 3) uint8, and the ``InverseMap`` of boxes back to the image.
        """
        height, width = image.shape[:2]
        if self.mode != "letterbox":
            stretch = resize if self.mode == "resize" else _stretch_as_darknet
            scale_xy = (size_hw[1] / width, size_hw[0] / height)
            return stretch(image, size_hw), InverseMap(scale_xy, (0.0, 0.0), (height, width))
        inner_hw, (top, left) = letterbox_place((height, width), size_hw)
        canvas = np.full((*size_hw, 3), GREY, dtype=np.uint8)
        canvas[top : top + inner_hw[0], left : left + inner_hw[1]] = resize(image, inner_hw)
        scale_xy = (inner_hw[1] / width, inner_hw[0] / height)
        return canvas, InverseMap(scale_xy, (float(left), float(top)), (height, width))


def _stretch_as_darknet(image: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Return an image stretched as by ``resize_image`` in darknet's ``image.c``, rounded to uint8."""
    wide = _stretch_axis(image.astype(np.float32), size_hw[1], axis=1)
    return np.rint(_stretch_axis(wide, size_hw[0], axis=0)).astype(np.uint8)


def _stretch_axis(image: np.ndarray, new: int, axis: int) -> np.ndarray:
    """Interpolate linearly along one axis."""
    last = image.shape[axis] - 1
    places = np.linspace(0, last, new, dtype=np.float32)
    before = places.astype(int)
    share = (places - before).reshape((-1, 1, 1) if axis == 0 else (-1, 1))
    old, next_one = image.take(before, axis), image.take(np.minimum(before + 1, last), axis)
    return old * (1 - share) + next_one * share
