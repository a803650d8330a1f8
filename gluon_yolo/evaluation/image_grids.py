"""Image grids that a run writes: training batches with targets, validation images with detections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gluon_yolo.assigners import BOX, CLASS
from gluon_yolo.atomic_io import writing
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.loading.collate import Batch
from gluon_yolo.detections import Detections
from gluon_yolo.drawing.draw import draw
from gluon_yolo.drawing.write import write_image
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
        _, first = np.unique(np.c_[rows[:, CLASS], rows[:, BOX]], axis=0, return_index=True)
        rows = rows[np.sort(first)]  # an object may have several rows
        drawn.append(draw(image, Detections(rows[:, BOX], rows[:, CLASS]), class_names))
    return grid.image_grid(drawn)


class TruthGrids:
    """Writes each image with its truth on the left and what was found on the right; a ``watch``.

    Args:
        folder: of the files; made when absent, as the first is written.
        dataset: has the images and their truth.
        score_threshold: detections below it are not drawn.
    """

    def __init__(self, folder: Path, dataset: Dataset, score_threshold: float = SHOWN_SCORE) -> None:
        self._folder, self._dataset, self._score_threshold = folder, dataset, score_threshold

    def __call__(self, index: int, image: np.ndarray, found: Detections) -> None:
        """Write image ``index`` of the data set.

        Raises:
            NotWritten: it cannot be written.
        """
        names = self._dataset.class_names
        truth = draw(image, self._dataset.annotations(index), names)
        seen = draw(image, found, names, score_threshold=self._score_threshold)
        with writing(self._folder, "name another place"):
            self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{index:05d}_{Path(self._dataset.name(index)).stem}.jpg"
        write_image(path, grid.image_grid([truth, seen], cell_hw=(image.shape[0], image.shape[1])))


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
