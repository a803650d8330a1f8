"""Geometric transforms: expand, affine, flip, resize, letterbox; they edit a view's matrix and frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gluon_yolo.data.transforms.base import Transform
from gluon_yolo.data.transforms.limits import check_between, check_color, check_range, check_whole
from gluon_yolo.data.transforms.view import (
    AREA,
    AUTO,
    CUBIC,
    GREY,
    LANCZOS,
    LINEAR,
    NEAREST,
    View,
    letterbox_place,
)

# The mean colour of ImageNet, which a standardising first layer maps to about 0.
MEAN_COLOR = (124, 116, 104)

_SAME = np.ones(2)


class RandomExpand(Transform):
    """Place the frame at a random position on a larger one of the same shape.

    The area outside the image is filled; what an earlier crop removed becomes visible again, with its boxes.

    Args:
        max_ratio: the sides grow by a factor from 1 to this.
        probability: probability of a change.
        fill: RGB colour around the image.
    """

    def __init__(
        self, max_ratio: float = 4, probability: float = 0.5, fill: tuple[int, int, int] = MEAN_COLOR
    ) -> None:
        check_between(1, max_ratio=max_ratio)
        check_between(0, 1, probability=probability)
        check_color("fill", fill)
        self.max_ratio = max_ratio
        self.probability = probability
        self.fill = fill

    def edit(self, view: View, rng: np.random.Generator) -> None:
        """Enlarge the frame."""
        if rng.random() >= self.probability:
            return
        height, width = view.size_hw
        ratio = rng.uniform(1, self.max_ratio)
        size_hw = int(height * ratio), int(width * ratio)
        left, top = (int(rng.integers(limit)) for limit in (size_hw[1] - width + 1, size_hw[0] - height + 1))
        view.fill = self.fill
        view.move(_SAME, (left, top), size_hw)


class RandomAffine(Transform):
    """Scale, translate, rotate and shear about the middle of the frame, which keeps its size.

    Without rotation and shear it is drawn as a crop and a resize, several times faster than a warp.

    Args:
        scale: range of the factor, log-uniform: half and double are equally likely.
        translate: largest shift in both directions, relative to the frame's width and height.
        degrees: largest rotation, in both directions.
        shear_degrees: largest shear of vertical lines, in both directions.
        fill: RGB colour around the image.
    """

    def __init__(
        self,
        scale: tuple[float, float] = (0.7, 1.4),
        translate: float = 0.1,
        degrees: float = 0,
        shear_degrees: float = 0,
        fill: tuple[int, int, int] = MEAN_COLOR,
    ) -> None:
        check_range("scale", scale)
        check_between(0, translate=translate, degrees=degrees, shear_degrees=shear_degrees)
        check_color("fill", fill)
        self.scale = scale
        self.translate = translate
        self.degrees = degrees
        self.shear_degrees = shear_degrees
        self.fill = fill

    def edit(self, view: View, rng: np.random.Generator) -> None:
        """Apply a random affine map inside the frame."""
        size_wh = np.array(view.size_hw[::-1])
        linear = np.eye(2) * np.exp(rng.uniform(*np.log(self.scale)))
        if self.shear_degrees:
            slant = np.tan(np.deg2rad(rng.uniform(-self.shear_degrees, self.shear_degrees)))
            linear = np.array([[1, slant], [0, 1]]) @ linear
        if self.degrees:
            angle = np.deg2rad(rng.uniform(-self.degrees, self.degrees))
            cos, sin = np.cos(angle), np.sin(angle)
            linear = np.array([[cos, -sin], [sin, cos]]) @ linear
        shift = rng.uniform(-self.translate, self.translate, size=2) * size_wh
        offset = size_wh / 2 - linear @ (size_wh / 2) + shift
        view.fill = self.fill
        view.move(linear, (offset[0], offset[1]), view.size_hw)


class RandomFlip(Transform):
    """Mirror the frame left to right, upside down, or both.

    Args:
        horizontal: probability of mirroring left to right.
        vertical: probability of mirroring upside down; useful for images without a fixed upper side, as from
            a microscope or from above.
    """

    def __init__(self, horizontal: float = 0.5, vertical: float = 0.0) -> None:
        check_between(0, 1, horizontal=horizontal, vertical=vertical)
        self.horizontal = horizontal
        self.vertical = vertical

    def edit(self, view: View, rng: np.random.Generator) -> None:
        """Mirror the frame."""
        height, width = view.size_hw
        x, y = rng.random(2) < (self.horizontal, self.vertical)
        sign = np.array([-1.0 if x else 1.0, -1.0 if y else 1.0])
        view.move(sign, (width if x else 0, height if y else 0), view.size_hw)


class Resize(Transform):
    """Stretch the frame to the requested size, as GluonCV's validation does by default."""

    def __init__(self, interpolation: int = AUTO) -> None:
        check_whole("interpolation", (interpolation,), AUTO)
        self.interpolation = interpolation

    def edit(self, view: View, rng: np.random.Generator) -> None:
        """Scale the frame."""
        view.interpolation = self.interpolation
        (height, width), (new_height, new_width) = view.size_hw, view.target_hw
        view.move(np.array([new_width / width, new_height / height]), (0, 0), view.target_hw)


class ResizeRandomInterp(Transform):
    """Stretch the frame to the requested size, with an interpolation drawn from ``interpolations``."""

    def __init__(self, interpolations: Sequence[int] = (NEAREST, LINEAR, CUBIC, AREA, LANCZOS)) -> None:
        self.interpolations = tuple(interpolations)
        check_whole("interpolations", self.interpolations, AUTO)

    def edit(self, view: View, rng: np.random.Generator) -> None:
        """Scale the frame."""
        Resize(self.interpolations[rng.integers(len(self.interpolations))]).edit(view, rng)


class LetterBox(Transform):
    """Scale the frame, with its aspect ratio kept, into the middle of the requested size; fill the rest grey.

    The pixels equal those of the letterbox in inference, :class:`gluon_yolo.inference.preprocess.Preprocess`.
    """

    def __init__(self, interpolation: int = AUTO, fill: tuple[int, int, int] = (GREY,) * 3) -> None:
        check_whole("interpolation", (interpolation,), AUTO)
        check_color("fill", fill)
        self.interpolation = interpolation
        self.fill = fill

    def edit(self, view: View, rng: np.random.Generator) -> None:
        """Scale and centre the frame."""
        height, width = view.size_hw
        (inner_h, inner_w), (top, left) = letterbox_place(view.size_hw, view.target_hw)
        view.interpolation = self.interpolation
        view.fill = self.fill
        view.move(np.array([inner_w / width, inner_h / height]), (left, top), view.target_hw)
