"""Image grids that a run writes: training batches with targets, validation images with detections."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gluon_yolo.assigners import BOX, CLASS
from gluon_yolo.data.loading.loader import Batch
from gluon_yolo.detections import Detections
from gluon_yolo.drawing.draw import draw
from gluon_yolo.nms import SHOWN_SCORE
from gluon_yolo.visualize import grid

BATCH_IMAGES = 16
VALIDATION_IMAGES = 8


def batch_grid(batch: Batch, class_names: Sequence[str], most: int = BATCH_IMAGES) -> np.ndarray:
    """Return a grid of up to ``most`` images of a training batch, with the boxes of the loss's targets."""
    drawn = []
    for image, rows in zip(batch.images[:most], batch.targets):
        boxes = rows[:, BOX]
        rows = rows[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]  # padding rows have boxes without area
        drawn.append(draw(image, Detections(rows[:, BOX], rows[:, CLASS]), class_names))
    return grid.image_grid(drawn)


class ValidationGrid:
    """Collect the first validation images with their detections; the ``watch`` of ``evaluate``.

    Args:
        class_names: of the detections.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self._class_names = class_names
        self._drawn: list[np.ndarray] = []

    def __call__(self, index: int, image: np.ndarray, found: Detections) -> None:
        """Add image ``index`` of the data set."""
        if index < VALIDATION_IMAGES:
            self._drawn.append(draw(image, found, self._class_names, SHOWN_SCORE))

    def image_grid(self) -> np.ndarray:
        """Return the grid of the images.

        Raises:
            ValueError: there is no image.
        """
        return grid.image_grid(self._drawn)
