"""DetectionStore: the detections of all images of an evaluation, kept, and written as COCO's results."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.atomic_io import replacing, writing
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.detections import Detections


class DetectionStore:
    """Keeps the detections of each image; it has the interface of a metric.

    Args:
        dataset: the images.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self.reset()

    def reset(self) -> None:
        """Remove all images."""
        self._found: dict[int, Detections] = {}

    def update(self, index: int, predicted: Detections, truth: Detections) -> None:
        """Keep the detections of image ``index``, in its pixels; ``truth`` is not used."""
        self._found[index] = predicted

    def compute(self) -> dict[str, Any]:
        """Return no values."""
        return {"per_class": {}}

    def __getitem__(self, index: int) -> Detections:
        """Return the detections of an image; none if it was not evaluated."""
        return self._found.get(index) or Detections.empty(scored=True)

    def results(self) -> Iterator[dict[str, Any]]:
        """Yield each detection in the form of COCO's results.

        Image and category ids are those of the data's annotation file. Data without ids has them as
        ``data convert`` writes them: the place of the image and of the class, from 1.

        Returns:
            ``{"image_id", "category_id", "bbox": [x, y, width, height], "score"}`` each, in pixels, not
            rounded.
        """
        for index, found in sorted(self._found.items()):
            image_id = self._dataset.image_id(index)
            assert found.scores is not None
            boxes = found.boxes.astype(np.float64)
            boxes[:, 2:] -= boxes[:, :2]
            for box, class_id, score in zip(boxes.tolist(), found.class_ids.tolist(), found.scores.tolist()):
                category_id = self._dataset.category_id(class_id)
                yield {"image_id": image_id, "category_id": category_id, "bbox": box, "score": score}

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`results` to a JSON file, one detection a line; make its folder when missing.

        Raises:
            NotWritten: the file cannot be written.
        """
        path = Path(path)
        with writing(path, "name another place"):
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as part, part.open("w", encoding="utf-8") as file:
                file.write("[")
                for number, record in enumerate(self.results()):
                    file.write(f"{',' if number else ''}\n{json.dumps(record)}")
                file.write("\n]\n")
