"""Transform: one change to a picture and its boxes, and Compose: several in a row, drawn once."""

from __future__ import annotations

import numpy as np

from gluon_yolo.data.transforms.view import View
from gluon_yolo.structures import Detections


class Transform:
    """A change to a picture and its boxes; a subclass writes :meth:`edit`."""

    def edit(self, view: View, rng: np.random.Generator) -> None:
        """Change ``view``; every random number comes from ``rng``."""
        raise NotImplementedError

    def plan(
        self,
        source_hw: tuple[int, int],
        truth: Detections,
        rng: np.random.Generator,
        size_hw: tuple[int, int],
    ) -> View:
        """Return the settled view of a picture that nobody has read yet.

        What is seen of the picture, and at what scale, is known before it is decoded.

        Args:
            source_hw: height and width of the picture.
            truth: its boxes in pixels; scores, where given, are the objects' mixup weights.
            rng: the only source of randomness.
            size_hw: height and width that the resizing transforms end at.
        """
        view = View(source_hw, truth, size_hw)
        self.edit(view, rng)
        view.settle()
        return view

    def __call__(
        self,
        picture: np.ndarray,
        truth: Detections,
        rng: np.random.Generator,
        size_hw: tuple[int, int],
        out: np.ndarray | None = None,
    ) -> tuple[np.ndarray, Detections]:
        """Return the changed picture (h, w, 3) uint8 and its boxes in its pixels.

        Args:
            picture: (H, W, 3) uint8 RGB.
            truth: its boxes in pixels; scores, where given, are the objects' mixup weights and stay matched.
            rng: the only source of randomness.
            size_hw: height and width that the resizing transforms end at.
            out: array to draw into; its shape must be what the transform ends at.
        """
        view = self.plan((picture.shape[0], picture.shape[1]), truth, rng, size_hw)
        return view.draw(picture, out), view.truth()


class Compose(Transform):
    """Several transforms, in order, drawn once."""

    def __init__(self, *transforms: Transform) -> None:
        self.transforms = transforms

    def edit(self, view: View, rng: np.random.Generator) -> None:
        """Change ``view`` by each transform in turn."""
        for transform in self.transforms:
            transform.edit(view, rng)
