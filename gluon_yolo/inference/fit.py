"""Fit: any picture -> the network's input size, and boxes on it -> boxes on the picture.

Evaluation, demo and the exported models all go through this file, so that a score and a drawing of the same
model come from the same pixels.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from gluon_yolo.boxes import clip
from gluon_yolo.data.transforms.view import GREY, letterbox_place, resize

MODES = ("resize", "letterbox", "darknet")


@dataclasses.dataclass(frozen=True)
class Undo:
    """Turns boxes in input pixels into boxes in the pixels of the picture that was fitted.

    Args:
        scale_xy: input pixels per picture pixel, along x and y.
        offset_xy: where the picture's top left corner lies on the input, in input pixels.
        picture_hw: the picture's own size.
    """

    scale_xy: tuple[float, float]
    offset_xy: tuple[float, float]
    picture_hw: tuple[int, int]

    def __call__(self, boxes: np.ndarray) -> np.ndarray:
        """Turn boxes (N, 4) in input pixels into float32 (N, 4) in the picture's pixels, clipped to it."""
        moved = (np.asarray(boxes, dtype=np.float64) - np.tile(self.offset_xy, 2)) / np.tile(self.scale_xy, 2)
        return clip(moved, self.picture_hw).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Fit:
    """Brings pictures to the network's input size.

    Args:
        mode: ``"resize"`` stretches each side on its own, as the networks are trained and validated;
            ``"letterbox"`` keeps the picture's proportions and fills the two margins with grey; ``"darknet"``
            stretches as darknet does, for its numbers: between four pixels, whatever is shrunk, the corner
            pixels of one on those of the other.

    Raises:
        ValueError: when the mode is another.
    """

    mode: str = "resize"

    def __post_init__(self) -> None:
        """Check the mode."""
        if self.mode not in MODES:
            raise ValueError(f"mode: expected one of {MODES}, got {self.mode!r}")

    def __call__(self, picture: np.ndarray, size_hw: tuple[int, int]) -> tuple[np.ndarray, Undo]:
        """Turn one picture into the network's input.

        Args:
            picture: (H, W, 3) uint8.
            size_hw: height and width of the input, in pixels.

        Returns:
            The input (h, w, 3) uint8, and the ``Undo`` that takes boxes on it back to the picture.
        """
        height, width = picture.shape[:2]
        if self.mode != "letterbox":
            stretch = resize if self.mode == "resize" else _stretch_as_darknet
            scale_xy = (size_hw[1] / width, size_hw[0] / height)
            return stretch(picture, size_hw), Undo(scale_xy, (0.0, 0.0), (height, width))
        inner_hw, (top, left) = letterbox_place((height, width), size_hw)
        canvas = np.full((*size_hw, 3), GREY, dtype=np.uint8)
        canvas[top : top + inner_hw[0], left : left + inner_hw[1]] = resize(picture, inner_hw)
        scale_xy = (inner_hw[1] / width, inner_hw[0] / height)
        return canvas, Undo(scale_xy, (float(left), float(top)), (height, width))


def _stretch_as_darknet(picture: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Return a picture stretched as ``resize_image`` of darknet's ``image.c`` does, in whole levels."""
    wide = _stretch_axis(picture.astype(np.float32), size_hw[1], axis=1)
    return np.rint(_stretch_axis(wide, size_hw[0], axis=0)).astype(np.uint8)


def _stretch_axis(picture: np.ndarray, new: int, axis: int) -> np.ndarray:
    """Stretch one side of a picture: each new pixel lies between two old ones."""
    last = picture.shape[axis] - 1
    places = np.linspace(0, last, new, dtype=np.float32)
    before = places.astype(int)
    share = (places - before).reshape((-1, 1, 1) if axis == 0 else (-1, 1))
    old, next_one = picture.take(before, axis), picture.take(np.minimum(before + 1, last), axis)
    return old * (1 - share) + next_one * share
