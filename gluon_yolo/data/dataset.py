"""Dataset: the one interface through which training and evaluation see images and their ground truth."""

from __future__ import annotations

import abc
import os
from collections.abc import Sequence

import numpy as np

from gluon_yolo.boxes import area
from gluon_yolo.data.images.read import decode_image, read_bytes
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.detections import Detections

__all__ = ["Dataset", "ImageFiles", "ListedImages"]


class Dataset(abc.ABC):
    """Images with their ground truth; what every reader gives, whatever its format.

    A data set is read once, when it is opened: ground truth and sizes are held in memory, images are read
    when asked for. It can be pickled, and read from several threads and processes at once.

    Args:
        class_names: C names; a truth's ``class_ids`` are indices into them.
        report: counts and findings of the reading.
    """

    def __init__(self, class_names: Sequence[str], report: DatasetReport) -> None:
        self.class_names = tuple(class_names)
        self.report = report

    @property
    def is_coco(self) -> bool:
        """Whether its objects are annotated as COCO's, which COCO's numbers are meant for."""
        return False

    @abc.abstractmethod
    def __len__(self) -> int:
        """Return the number of images."""

    @abc.abstractmethod
    def name(self, index: int) -> str:
        """Return the file path or the record key of an image, as messages name it."""

    def encoded(self, index: int) -> bytes:
        """Return an image as the bytes of its file: JPEG, PNG, or what else OpenCV decodes.

        A subclass writes this, or :meth:`picture` where its images are no files.

        Raises:
            BadFile: it can no longer be read.
        """
        raise NotImplementedError

    def encoded_size(self, index: int) -> int:
        """Return how many bytes :meth:`encoded` gives; where the subclass knows, without reading them.

        Raises:
            BadFile, OSError: it can no longer be told.
        """
        return len(self.encoded(index))

    def image(self, index: int, reduction: int = 1) -> np.ndarray:
        """Return an image as (H, W, 3) uint8 RGB, a fresh array.

        Args:
            index: which.
            reduction: 2, 4 or 8 ask for half, a quarter or an eighth of the sides, rounded up, which is
                faster to decode; a data set may give the whole image all the same.

        Raises:
            BadFile: the image can no longer be read.
        """
        return decode_image(self.encoded(index), self.name(index), reduction)

    @abc.abstractmethod
    def annotations(self, index: int) -> Detections:
        """Return an image's ground truth, boxes in pixels of the image; shared, not to be written into."""

    @abc.abstractmethod
    def size_hw(self, index: int) -> tuple[int, int]:
        """Return an image's (height, width) in pixels, without reading it."""

    def areas(self, index: int) -> np.ndarray:
        """Return the areas (N,) of an image's objects in square pixels, by which COCO's numbers tell sizes.

        They are those of the outlines where the data set gives them, else of the boxes.
        """
        return area(self.annotations(index).boxes.astype(np.float64))

    def crowds(self, index: int) -> Detections:
        """Return an image's crowds: regions with many objects of a class, where detections do not count."""
        return Detections.empty()


class ListedImages(Dataset):
    """A data set of lists, one entry for each image; a subclass writes :meth:`encoded`.

    Args:
        class_names: C names.
        names: N file paths or record keys.
        sizes_hw: N sizes (height, width) in pixels.
        truths: N ground truths.
        report: findings of the reading; its counts are filled in here.

    Raises:
        ValueError: the lists differ in length.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        names: Sequence[str],
        sizes_hw: Sequence[tuple[int, int]],
        truths: Sequence[Detections],
        report: DatasetReport,
    ) -> None:
        super().__init__(class_names, report)
        if not len(names) == len(sizes_hw) == len(truths):
            raise ValueError(f"expected equal lengths, got {len(names)}, {len(sizes_hw)}, {len(truths)}")
        self._names = list(names)
        self._sizes_hw = list(sizes_hw)
        report.count(truths, self.class_names)
        self._keep(truths)

    def _keep(self, truths: Sequence[Detections]) -> None:
        # One record for all: a hundred thousand small ones take long to pickle for each worker process.
        self._objects = Detections.concatenate([Detections.empty(), *truths])
        self._starts = np.cumsum([0, *map(len, truths)])

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._names)

    def name(self, index: int) -> str:
        """Return the file path or the record key of an image."""
        return self._names[index]

    def annotations(self, index: int) -> Detections:
        """Return an image's ground truth, boxes in pixels of the image."""
        return self._objects[self._starts[index] : self._starts[index + 1]]

    def size_hw(self, index: int) -> tuple[int, int]:
        """Return an image's (height, width) in pixels."""
        return self._sizes_hw[index]


class ImageFiles(ListedImages):
    """A data set whose images are files; ``names`` are their paths."""

    def encoded(self, index: int) -> bytes:
        """Return the bytes of an image's file."""
        return read_bytes(self._names[index])

    def encoded_size(self, index: int) -> int:
        """Return the size of an image's file in bytes."""
        return os.path.getsize(self._names[index])
