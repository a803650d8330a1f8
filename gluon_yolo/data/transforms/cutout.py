"""CutOut: hide random squares of an image."""

from __future__ import annotations

import numpy as np

from gluon_yolo.data.transforms.base import Transform
from gluon_yolo.data.transforms.limits import check_between, check_range, check_whole
from gluon_yolo.data.transforms.view import View

_MOST = 100


class CutOut(Transform):
    """Hide squares of the drawn image under grey, so that objects are learned by more than one part.

    A square's middle is anywhere in the image. An object of which more than
    :data:`gluon_yolo.data.transforms.view.MOST_HIDDEN` is hidden is removed. In a mosaic each of the four
    images has squares of its own.

    Source: DeVries & Taylor 2017; for objects, ``cutout`` of github.com/ultralytics/yolov5.

    Args:
        probability: probability that anything is hidden.
        squares: how many.
        side: range of a square's side, relative to the image's shorter side.
    """

    def __init__(
        self, probability: float = 0.5, squares: int = 1, side: tuple[float, float] = (0.1, 0.4)
    ) -> None:
        check_between(0, 1, probability=probability)
        check_whole("squares", (squares,), _MOST)
        check_range("side", side, most=1)
        self.probability = probability
        self.squares = squares
        self.side = side

    def edit(self, view: View, rng: np.random.Generator) -> None:
        """Add squares to the view's holes."""
        if rng.random() >= self.probability:
            return
        for _ in range(self.squares):
            x, y, side = rng.random(), rng.random(), rng.uniform(*self.side)
            view.holes.append((x, y, side))
