"""Relabelled: a data set whose classes are renamed, merged or dropped."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from gluon_yolo.data.classes.read import listed
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.quality.units import UnitCheck
from gluon_yolo.detections import Detections
from gluon_yolo.text import counted


class Relabelled(Dataset):
    """A data set with other classes; all its images stay, also those whose objects are all dropped.

    Args:
        dataset: the data set.
        class_ids: the new class id of each of its classes; -1 drops a class.
        class_names: the new names.
        note: a note for the report; the counts of dropped objects follow it.
    """

    def __init__(
        self, dataset: Dataset, class_ids: Sequence[int], class_names: Sequence[str], note: str = ""
    ) -> None:
        left_out: Counter[str] = Counter()
        for name, class_id in zip(dataset.class_names, class_ids):
            if class_id < 0 and dataset.report.per_class.get(name):
                left_out[name] = dataset.report.per_class[name]
        notes = [*dataset.report.notes, *([note] if note else [])]
        report = dataclasses.replace(
            dataset.report,
            images=0,
            boxes=0,
            per_class={},
            empty_images=0,
            difficult=0,
            notes=notes,
            units=UnitCheck(),  # its doubt is already an issue of the report
        )
        super().__init__(class_names, report)
        self._dataset = dataset
        self._class_ids = np.array(class_ids, dtype=np.int64)
        report.count((self.annotations(index) for index in range(len(self))), self.class_names)
        if left_out:
            classes = listed([f"{name} {count:,}" for name, count in left_out.most_common()])
            emptied = report.empty_images - dataset.report.empty_images
            boxes = counted(sum(left_out.values()), "box", form=",")
            text = f"{boxes} of other classes left out ({classes})"
            without = f"; {counted(emptied, 'picture', form=',')} without objects for it" if emptied else ""
            report.notes.append(f"{text}{without}")

    @property
    def is_coco(self) -> bool:
        """Whether the data set behind it is COCO's."""
        return self._dataset.is_coco

    @property
    def is_wider(self) -> bool:
        """Whether the data set behind it is WIDER FACE's."""
        return self._dataset.is_wider

    def __len__(self) -> int:
        return len(self._dataset)

    def name(self, index: int) -> str:
        """Return an image's file path or record key."""
        return self._dataset.name(index)

    def encoded(self, index: int) -> bytes:
        """Return the bytes of an image's file."""
        return self._dataset.encoded(index)

    def encoded_size(self, index: int) -> int:
        """Return the number of bytes of an image's file."""
        return self._dataset.encoded_size(index)

    def image(self, index: int, reduction: int = 1) -> np.ndarray:
        """Return an image as (H, W, 3) uint8 RGB."""
        return self._dataset.image(index, reduction)

    def annotations(self, index: int) -> Detections:
        """Return an image's annotations, boxes in its pixels."""
        return self._renumbered(self._dataset.annotations(index))

    def size_hw(self, index: int) -> tuple[int, int]:
        """Return an image's (height, width) in pixels."""
        return self._dataset.size_hw(index)

    def areas(self, index: int) -> np.ndarray:
        """Return the areas (N,) of an image's objects in square pixels."""
        kept = self._class_ids[self._dataset.annotations(index).class_ids] >= 0
        return self._dataset.areas(index)[kept]

    def crowds(self, index: int) -> Detections:
        """Return an image's crowds, of the classes that are kept."""
        return self._renumbered(self._dataset.crowds(index))

    def image_id(self, index: int) -> int | str:
        """Return an image's id in the data set behind it."""
        return self._dataset.image_id(index)

    def category_id(self, class_id: int) -> int | str:
        """Return a class's id in the data set behind it: of merged classes that of the first one.

        A class that it does not have gets a negative number.
        """
        (before,) = np.nonzero(self._class_ids == class_id)
        return self._dataset.category_id(int(before[0])) if len(before) else -1 - class_id

    def _renumbered(self, objects: Detections) -> Detections:
        class_ids = self._class_ids[objects.class_ids]
        return objects.replace(class_ids=class_ids, class_names=None)[class_ids >= 0]
