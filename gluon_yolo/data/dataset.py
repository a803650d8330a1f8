"""Dataset: the interface through which training and evaluation read images and their annotations."""

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
    """Images with their annotations; the readers of all formats return one.

    A data set reads its annotations and image sizes when it is opened, and keeps them in memory; it reads an
    image when it is needed. It can be pickled, and read from several threads and processes at once.

    Args:
        class_names: C names, in the order of the class ids.
        report: counts and issues of the reading.
    """

    def __init__(self, class_names: Sequence[str], report: DatasetReport) -> None:
        self.class_names = tuple(class_names)
        self.report = report

    @property
    def is_coco(self) -> bool:
        """Whether its objects are annotated as COCO's are, so that COCO's metrics are meant for it."""
        return False

    @property
    def is_wider(self) -> bool:
        """Whether it is in WIDER FACE's format, so that Easy, Medium and Hard are meant for it."""
        return False

    @abc.abstractmethod
    def __len__(self) -> int:
        """Return the number of images."""

    @abc.abstractmethod
    def name(self, index: int) -> str:
        """Return an image's file path or record key, for messages."""

    def encoded(self, index: int) -> bytes:
        """Return the bytes of an image's file: JPEG, PNG, or another supported type.

        A subclass implements this, or :meth:`image` when its images are not files.

        Raises:
            BadFile: the image can no longer be read.
        """
        raise NotImplementedError

    def encoded_size(self, index: int) -> int:
        """Return the number of bytes of :meth:`encoded`; a subclass may know it without reading them.

        Raises:
            BadFile, OSError: the image can no longer be read.
        """
        return len(self.encoded(index))

    def image(self, index: int, reduction: int = 1) -> np.ndarray:
        """Return an image as (H, W, 3) uint8 RGB, in a new array.

        Args:
            index: of the image.
            reduction: 2, 4 or 8 divide the sides, rounded up, which is faster to decode; a data set may
                return the whole image instead.

        Raises:
            BadFile: the image can no longer be read.
        """
        return decode_image(self.encoded(index), self.name(index), reduction)

    @abc.abstractmethod
    def annotations(self, index: int) -> Detections:
        """Return an image's annotations, boxes in its pixels; the caller must not change them."""

    @abc.abstractmethod
    def size_hw(self, index: int) -> tuple[int, int]:
        """Return an image's (height, width) in pixels without reading it."""

    def areas(self, index: int) -> np.ndarray:
        """Return the areas (N,) of an image's objects in square pixels, for COCO's metrics by object size.

        They are the areas of the outlines where the data set has them, otherwise those of the boxes.
        """
        return area(self.annotations(index).boxes.astype(np.float64))

    def crowds(self, index: int) -> Detections:
        """Return an image's crowds: regions with many objects of a class, where detections do not count."""
        return Detections.empty()

    def image_id(self, index: int) -> int | str:
        """Return an image's id in COCO's form: that of its annotation file, else its place, from 1."""
        return index + 1

    def category_id(self, class_id: int) -> int | str:
        """Return a class's id in COCO's form: that of its annotation file, else its place, from 1."""
        return class_id + 1


class ListedImages(Dataset):
    """A data set of lists with one entry per image; a subclass implements :meth:`encoded`.

    Args:
        class_names: C names.
        names: N file paths or record keys.
        sizes_hw: N sizes (height, width) in pixels.
        truths: N annotations.
        report: issues of the reading; its counts are set here.

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
        # One record for all images: a hundred thousand small ones are slow to pickle for each worker process.
        self._objects = Detections.concatenate([Detections.empty(), *truths])
        self._starts = np.cumsum([0, *map(len, truths)])

    def __len__(self) -> int:
        return len(self._names)

    def name(self, index: int) -> str:
        """Return an image's file path or record key."""
        return self._names[index]

    def annotations(self, index: int) -> Detections:
        """Return an image's annotations, boxes in its pixels."""
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
