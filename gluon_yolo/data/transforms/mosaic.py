"""Mosaic: combine four images around a point into one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gluon_yolo.data.transforms.base import LazyImage, Transform, draw_view
from gluon_yolo.data.transforms.limits import check_between, check_range
from gluon_yolo.data.transforms.view import View
from gluon_yolo.detections import Detections


class Mosaic(Transform):
    """Combine four images around a random point (Bochkovskiy et al. 2020, YOLOv4, section 3.4).

    ``tile`` changes each image as if it were alone; the result is scaled down and cropped to its quarter.
    Objects become smaller, and appear beside those of other images. A scaled image that is smaller than its
    quarter is placed at the common point, and the rest of the quarter is filled.

    A box stays when its centre is inside its quarter, so at least a quarter of its area is visible.

    Args:
        tile: the transform of each of the four images, and of an image without a mosaic; its output has the
            requested size.
        probability: probability of a mosaic.
        scale: range of the factor by which a changed image is scaled.
        center: range of the common point, relative to width and height.
    """

    def __init__(
        self,
        tile: Transform,
        probability: float = 0.5,
        scale: tuple[float, float] = (0.4, 1.0),
        center: tuple[float, float] = (0.25, 0.75),
    ) -> None:
        check_between(0, 1, probability=probability)
        check_range("scale", scale, most=1)
        check_range("center", center, most=1)
        self.tile = tile
        self.probability = probability
        self.scale = scale
        self.center = center

    def edit(self, view: View, rng: np.random.Generator) -> None:
        """Change the view of a single image."""
        self.tile.edit(view, rng)

    def count(self, rng: np.random.Generator) -> int:
        """Return 4 with the mosaic's probability, otherwise 1."""
        return 4 if rng.random() < self.probability else 1

    def render(
        self,
        images: Sequence[LazyImage],
        rng: np.random.Generator,
        size_hw: tuple[int, int],
        out: np.ndarray | None = None,
    ) -> tuple[np.ndarray, Detections]:
        """Draw one image, or four around a point; see the base class."""
        if len(images) == 1:
            return super().render(images, rng, size_hw, out)
        if out is None:
            out = np.empty((*size_hw, 3), dtype=np.uint8)
        height, width = size_hw
        x, y = (round(side * rng.uniform(*self.center)) for side in (width, height))
        truths = []
        for place, image in enumerate(images):
            left, right = (x, width) if place % 2 else (0, x)
            top, bottom = (y, height) if place // 2 else (0, y)
            view = self._tile(image, place, (bottom - top, right - left), size_hw, rng)
            _, truth = draw_view(view, image, out[top:bottom, left:right])
            truths.append(truth.replace(boxes=truth.boxes + np.array([left, top, left, top])))
        return out, Detections.concatenate(truths)

    def _tile(
        self,
        image: LazyImage,
        place: int,
        tile_hw: tuple[int, int],
        size_hw: tuple[int, int],
        rng: np.random.Generator,
    ) -> View:
        """Return the view of an image in quarter ``place``: 0, 1 above and 2, 3 below, left and right."""
        view = View(image.size_hw, image.truth, size_hw)
        self.tile.edit(view, rng)
        scale = rng.uniform(*self.scale)
        slack_x, slack_y = (tile_hw[1] - scale * view.size_hw[1], tile_hw[0] - scale * view.size_hw[0])
        # A larger image shows a random part; a smaller one is placed at the common point.
        x = slack_x * (rng.random() if slack_x < 0 else 1 - place % 2)
        y = slack_y * (rng.random() if slack_y < 0 else 1 - place // 2)
        view.move(np.array([scale, scale]), (x, y), tile_hw)
        return view
