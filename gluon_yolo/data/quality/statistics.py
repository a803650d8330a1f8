"""Statistics of a data set: numbers of images and boxes, by class and by size."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import numpy as np

from gluon_yolo.boxes import area
from gluon_yolo.data.dataset import Dataset

BOX_SIZES = ("small", "medium", "large")
"""COCO's sizes: areas below 32 x 32, below 96 x 96, and larger, in pixels of the image."""
_LIMITS = (32**2, 96**2)


# The JSON names of fields that differ from the Python names.
_WRITTEN = {"images": "pictures", "empty_images": "empty_pictures"}


@dataclasses.dataclass(frozen=True)
class Counts:
    """Counts of one part of a data set, over the images that can be used.

    Args:
        images: number of images.
        empty_images: number of images without an object.
        skipped: number of images that cannot be used, which are not in the other counts.
        boxes: number of boxes without broken ones.
        broken_boxes: number of broken boxes.
        crowd_boxes: number of boxes that mark a crowd (COCO), which are not in ``boxes``.
        difficult: number of boxes marked difficult.
        per_class: number of boxes of each class, in the order of the class names.
        per_size: number of boxes of each of ``BOX_SIZES``.
        image_sizes_hw: number of images by (height, width), the most common first.
        objects: boxes per image: minimum, median, mean, maximum.
    """

    images: int
    empty_images: int
    skipped: int
    boxes: int
    broken_boxes: int
    crowd_boxes: int
    difficult: int
    per_class: dict[str, int]
    per_size: dict[str, int]
    image_sizes_hw: dict[tuple[int, int], int]
    objects: tuple[int, float, float, int]

    @classmethod
    def of(cls, dataset: Dataset) -> Counts:
        """Count the images and boxes of a data set."""
        truths = [dataset.annotations(index) for index in range(len(dataset))]
        sizes_hw = Counter(dataset.size_hw(index) for index in range(len(dataset)))
        areas = np.concatenate([np.zeros(0, np.float32), *(area(truth.boxes) for truth in truths)])
        per_size = np.bincount(np.digitize(areas, _LIMITS), minlength=len(BOX_SIZES))
        objects = np.array([len(truth) for truth in truths] or [0])
        report = dataset.report
        return cls(
            images=report.images,
            empty_images=report.empty_images,
            skipped=report.skipped,
            boxes=report.boxes,
            broken_boxes=report.broken_boxes,
            crowd_boxes=report.crowd_boxes,
            difficult=report.difficult,
            per_class=dict(report.per_class),
            per_size={name: int(count) for name, count in zip(BOX_SIZES, per_size)},
            image_sizes_hw=dict(sizes_hw.most_common()),
            objects=(
                int(objects.min()),
                float(np.median(objects)),
                float(objects.mean()),
                int(objects.max()),
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as plain values for JSON; image sizes as ``"640x480"``, width first."""
        record = {_WRITTEN.get(name, name): value for name, value in dataclasses.asdict(self).items()}
        sizes = {f"{width}x{height}": count for (height, width), count in self.image_sizes_hw.items()}
        least, median, mean, most = self.objects
        objects = {"least": least, "median": median, "mean": round(mean, 3), "most": most}
        del record["image_sizes_hw"], record["objects"]
        return {**record, "picture_sizes": sizes, "objects_per_picture": objects}
