"""Subset: some of a data set's images, with their own annotations or new ones."""

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
        indices: of the images in it, in the order of the subset.
        truths: annotations of each of them; None takes the data set's own.
        class_names: class names of these annotations; None takes the data set's own.

    Raises:
        ValueError: ``truths`` and ``indices`` differ in length.
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
        """Whether the data set behind it is COCO's."""
        return self._dataset.is_coco

    @property
    def is_wider(self) -> bool:
        """Whether the data set behind it is WIDER FACE's."""
        return self._dataset.is_wider

    def __len__(self) -> int:
        return len(self._indices)

    def name(self, index: int) -> str:
        """Return an image's file path or record key."""
        return self._dataset.name(self._indices[index])

    def encoded(self, index: int) -> bytes:
        """Return the bytes of an image's file."""
        return self._dataset.encoded(self._indices[index])

    def encoded_size(self, index: int) -> int:
        """Return the number of bytes of an image's file."""
        return self._dataset.encoded_size(self._indices[index])

    def image(self, index: int, reduction: int = 1) -> np.ndarray:
        """Return an image as (H, W, 3) uint8 RGB."""
        return self._dataset.image(self._indices[index], reduction)

    def annotations(self, index: int) -> Detections:
        """Return an image's annotations, boxes in its pixels."""
        return self._truths[index]

    def size_hw(self, index: int) -> tuple[int, int]:
        """Return an image's (height, width) in pixels."""
        return self._dataset.size_hw(self._indices[index])

    def areas(self, index: int) -> np.ndarray:
        """Return the areas (N,) of an image's objects in square pixels."""
        return super().areas(index) if self._has_own_truths else self._dataset.areas(self._indices[index])

    def crowds(self, index: int) -> Detections:
        """Return an image's crowds; empty with new annotations, which have none."""
        return super().crowds(index) if self._has_own_truths else self._dataset.crowds(self._indices[index])

    def image_id(self, index: int) -> int | str:
        """Return an image's id in the data set behind it."""
        return self._dataset.image_id(self._indices[index])

    def category_id(self, class_id: int) -> int | str:
        """Return a class's id in the data set behind it; with other class names its place, from 1."""
        is_same = self.class_names == self._dataset.class_names
        return self._dataset.category_id(class_id) if is_same else super().category_id(class_id)


def open_unlabelled(
    folder: str | os.PathLike[str], class_names: Sequence[str], skip_bad: bool = False
) -> ImageFiles:
    """Return the images of a folder and its subfolders as a data set without annotations.

    Args:
        folder: the folder.
        class_names: the data set's class names, although no object has one.
        skip_bad: leave out images that cannot be read, and warn about each.

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
