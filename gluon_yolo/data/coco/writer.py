"""COCOWriter: write a data set as COCO annotation files, with its images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gluon_yolo.atomic_io import replacing
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.writer import ImageStore, Writer, file_stem
from gluon_yolo.detections import Detections


class COCOWriter(Writer):
    """Writes ``annotations/instances_<split>.json`` and the split's images in ``<split>/``.

    Ids count from 1: image ids in the order of the data set, category ids in the order of the class names. An
    object that is marked difficult has an additional key, ``difficult``.
    """

    format = "coco"

    def write(self, split: str, dataset: Dataset, copy: bool = True) -> None:
        """Write a split's images and its annotation file; see :meth:`Writer.write`."""
        name = file_stem(split)
        names = ImageStore(self.out / name).put(dataset, copy, f"writing {split}")
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for image_id, file in enumerate(names, 1):
            height, width = dataset.size_hw(image_id - 1)
            images.append({"id": image_id, "file_name": file, "width": width, "height": height})
            for record in _records(dataset.annotations(image_id - 1)):
                annotations.append({"id": len(annotations) + 1, "image_id": image_id, **record})
        categories = [{"id": i, "name": name} for i, name in enumerate(self.class_names, 1)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        write_content(self.out / "annotations" / f"instances_{name}.json", content)


def write_content(path: Path, content: dict[str, Any]) -> None:
    """Write an annotation file and its folder; numbers are read back unchanged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")


def _records(truth: Detections) -> list[dict[str, Any]]:
    """Return the annotation records of an image's objects, without ids."""
    records = []
    difficult = [False] * len(truth) if truth.difficult is None else truth.difficult.tolist()
    for corners, class_id, is_difficult in zip(truth.boxes.tolist(), truth.class_ids.tolist(), difficult):
        x1, y1, x2, y2 = corners
        width, height = x2 - x1, y2 - y1
        record = {
            "category_id": class_id + 1,
            "bbox": [_number(value) for value in (x1, y1, width, height)],
            "area": _number(width * height),
            "iscrowd": 0,
        }
        records.append({**record, "difficult": 1} if is_difficult else record)
    return records


def _number(value: float) -> float:
    """Return an integer for a number without a fraction."""
    return int(value) if value.is_integer() else value
