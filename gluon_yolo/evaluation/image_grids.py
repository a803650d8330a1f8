"""Sheets: the pictures that a run keeps of what it trains on and of what it finds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gluon_yolo.assigners import BOX, CLASS
from gluon_yolo.data.loading.loader import Batch
from gluon_yolo.detections import Detections
from gluon_yolo.drawing.draw import draw
from gluon_yolo.nms import SHOWN_SCORE
from gluon_yolo.visualize import grid

BATCH_PICTURES = 16
VALIDATION_PICTURES = 8


def batch_sheet(batch: Batch, class_names: Sequence[str], most: int = BATCH_PICTURES) -> np.ndarray:
    """Return up to ``most`` pictures of a training batch on one sheet, with the boxes that the losses get."""
    drawn = []
    for picture, rows in zip(batch.pictures[:most], batch.targets):
        boxes = rows[:, BOX]
        rows = rows[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]  # what fills the rows up has no area
        drawn.append(draw(picture, Detections(rows[:, BOX], rows[:, CLASS]), class_names))
    return grid.sheet(drawn)


class ValidationSheet:
    """Collects the first validated pictures with what was found in them; what ``evaluate`` calls ``watch``.

    Args:
        class_names: of the detections.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        """Start empty."""
        self._class_names = class_names
        self._drawn: list[np.ndarray] = []

    def __call__(self, index: int, picture: np.ndarray, found: Detections) -> None:
        """Take in picture ``index`` of the data set."""
        if index < VALIDATION_PICTURES:
            self._drawn.append(draw(picture, found, self._class_names, SHOWN_SCORE))

    def sheet(self) -> np.ndarray:
        """Return the pictures on one sheet.

        Raises:
            ValueError: when none was taken in.
        """
        return grid.sheet(self._drawn)
