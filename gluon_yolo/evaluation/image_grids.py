"""Sheets: the images that a run keeps of what it trains on and of what it finds."""

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
    """Return up to ``most`` images of a training batch on one sheet, with the boxes that the losses get."""
    drawn = []
    for image, rows in zip(batch.images[:most], batch.targets):
        boxes = rows[:, BOX]
        rows = rows[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]  # what fills the rows up has no area
        drawn.append(draw(image, Detections(rows[:, BOX], rows[:, CLASS]), class_names))
    return grid.image_grid(drawn)


class ValidationGrid:
    """Collects the first validated images with what was found in them; what ``evaluate`` calls ``watch``.

    Args:
        class_names: of the detections.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        """Start empty."""
        self._class_names = class_names
        self._drawn: list[np.ndarray] = []

    def __call__(self, index: int, image: np.ndarray, found: Detections) -> None:
        """Take in image ``index`` of the data set."""
        if index < VALIDATION_IMAGES:
            self._drawn.append(draw(image, found, self._class_names, SHOWN_SCORE))

    def image_grid(self) -> np.ndarray:
        """Return the images on one sheet.

        Raises:
            ValueError: when none was taken in.
        """
        return grid.image_grid(self._drawn)
