"""Subset: some of a data set's images, with their own ground truth or another."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

import numpy as np

from gluon_yolo.data.dataset import Dataset, ImageFiles
from gluon_yolo.data.images.files import images_below, left_out
from gluon_yolo.data.images.read import measure
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.detections import Detections
from gluon_yolo.errors import SettingError, UserError

log = logging.getLogger("gluon_yolo")


class Subset(Dataset):
    """Some of a data set's images.

    Args:
        dataset: the data set.
        indices: of the images in it, in the order in which they are to come.
        truths: one for each of them; None takes the data set's own.
        class_names: of these truths; None takes the data set's own.
    """

    def __init__(
        self,
        dataset: Dataset,
        indices: Sequence[int],
        truths: Sequence[Detections] | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        names = dataset.class_names if class_names is None else tuple(class_names)
        super().__init__(names, DatasetReport(dataset.report.title))
        self._dataset, self._indices = dataset, [int(index) for index in indices]
        self._has_own_truths = truths is not None
        self._truths = (
            [dataset.annotations(index) for index in self._indices] if truths is None else list(truths)
        )
        if len(self._truths) != len(self._indices):
            raise ValueError(f"expected {len(self._indices)} truths, got {len(self._truths)}")
        self.report.count(self._truths, self.class_names)

    @property
    def is_coco(self) -> bool:
        """Whether the data set that it is made of is COCO's."""
        return self._dataset.is_coco

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._indices)

    def name(self, index: int) -> str:
        """Return the file path or the record key of an image."""
        return self._dataset.name(self._indices[index])

    def encoded(self, index: int) -> bytes:
        """Return the bytes of an image's file."""
        return self._dataset.encoded(self._indices[index])

    def encoded_size(self, index: int) -> int:
        """Return how many bytes they are."""
        return self._dataset.encoded_size(self._indices[index])

    def image(self, index: int, reduction: int = 1) -> np.ndarray:
        """Return an image as (H, W, 3) uint8 RGB."""
        return self._dataset.image(self._indices[index], reduction)

    def annotations(self, index: int) -> Detections:
        """Return an image's ground truth, boxes in pixels of the image."""
        return self._truths[index]

    def size_hw(self, index: int) -> tuple[int, int]:
        """Return an image's (height, width) in pixels."""
        return self._dataset.size_hw(self._indices[index])

    def areas(self, index: int) -> np.ndarray:
        """Return the areas (N,) of an image's objects in square pixels."""
        return super().areas(index) if self._has_own_truths else self._dataset.areas(self._indices[index])

    def crowds(self, index: int) -> Detections:
        """Return an image's crowds, which belong to the data set's own ground truth."""
        return super().crowds(index) if self._has_own_truths else self._dataset.crowds(self._indices[index])


def open_unlabelled(
    folder: str | os.PathLike[str], class_names: Sequence[str], skip_bad: bool = False
) -> ImageFiles:
    """Return the images in a folder and below it as a data set without ground truth.

    Args:
        folder: the folder.
        class_names: what the data set's classes are called, though none is seen.
        skip_bad: leave out images that cannot be read, and warn of each.

    Raises:
        UserError: images cannot be read.
    """
    names, sizes, bad = [], [], []
    for name in images_below(folder):
        try:
            size_hw = measure(name).size_hw
        except UserError as error:
            bad.append(str(error))
            continue
        names.append(name)
        sizes.append(size_hw)
    title = f"{os.fspath(folder)} (no labels)"
    if bad and not skip_bad:
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise SettingError(f"{bad[0]}{more}; mend or remove it, or leave out such pictures with {{skip_bad}}")
    for problem in bad:
        log.warning("%s; left out", problem)
    if more := left_out(folder):
        log.info("%s", more)
    return ImageFiles(class_names, names, sizes, [Detections.empty()] * len(names), DatasetReport(title))
