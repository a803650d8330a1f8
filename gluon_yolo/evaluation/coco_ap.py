"""COCO's twelve metrics of boxes, computed by pycocotools.

The ground truth comes from the data set: objects, areas, crowds. No annotation file is read, so that training
and metrics use the same objects.

pycocotools is imported with the first metric, and its output is suppressed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError

NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
MOST_DETECTIONS = 100
"""Largest number of detections per class and image; higher where an image has more objects of a class."""

# Arguments of pycocotools' summary: precision or recall, IoU, size of the objects, index of the detection
# limit.
_SUMMARIES = {
    "AP": (1, None, "all", 2),
    "AP50": (1, 0.5, "all", 2),
    "AP75": (1, 0.75, "all", 2),
    "APs": (1, None, "small", 2),
    "APm": (1, None, "medium", 2),
    "APl": (1, None, "large", 2),
    "AR1": (0, None, "all", 0),
    "AR10": (0, None, "all", 1),
    "AR100": (0, None, "all", 2),
    "ARs": (0, None, "small", 2),
    "ARm": (0, None, "medium", 2),
    "ARl": (0, None, "large", 2),
}

logger = logging.getLogger("gluon_yolo")


def is_counted() -> bool:
    """Return whether pycocotools is installed, which COCO's metrics need."""
    return importlib.util.find_spec("pycocotools") is not None


class COCOMetric:
    """Collect predictions by image, and compare them with a data set's ground truth.

    Args:
        truth: annotations in COCO's format, from :func:`truth_of`: image ids are indices, category ids are
            class ids + 1, annotation ids start at 1.

    Raises:
        UserError: pycocotools is not installed.
    """

    def __init__(self, truth: dict[str, Any]) -> None:
        self._truth = _index(truth)
        self._class_names = [category["name"] for category in truth["categories"]]
        self._most = _most_objects(truth)
        self.reset()

    @classmethod
    def from_dataset(cls, dataset: Dataset) -> COCOMetric:
        """Return the metric for a data set's objects, areas and crowds."""
        return cls(truth_of(dataset))

    def reset(self) -> None:
        """Remove all predictions."""
        self._results: list[dict[str, Any]] = []
        self._seen: set[int] = set()

    def update(self, index: int, predicted: Detections, truth: Detections) -> None:
        """Add the predictions for image ``index``, in its pixels; ``truth`` is not used.

        Raises:
            ValueError: there are no scores, or the image is unknown or was added before.
        """
        if predicted.scores is None:
            raise ValueError("predicted: expected scores, got None")
        if index in self._seen or index not in self._truth.imgs:
            why = "seen twice" if index in self._seen else "not in the data set"
            raise ValueError(f"picture {index}: {why}")
        self._seen.add(index)
        for record, score in zip(_records(index, predicted), predicted.scores):
            self._results.append({"id": len(self._results) + 1, **record, "score": float(score)})

    def compute(self) -> dict[str, Any]:
        """Return COCO's twelve values and two values of each class.

        Returns:
            ``AP AP50 AP75 APs APm APl AR1 AR10 AR100 ARs ARm ARl`` as in pycocotools, -1 where there are no
            objects, and ``per_class``: ``{name: {"COCO_AP", "COCO_AP50"}}``, NaN where there are no objects.
        """
        return self._numbers(self._evaluated(), NAMES)

    def _evaluated(self, every_size: bool = True) -> Any:
        """Return a ``COCOeval`` of the predictions; with ``every_size`` also by size of the objects."""
        from pycocotools.cocoeval import COCOeval

        missing = len(self._truth.imgs) - len(self._seen)
        if missing:
            message = "COCO: %d of %d pictures were not predicted; their objects count as missed."
            logger.warning(message, missing, len(self._truth.imgs))
        found = _index({**self._truth.dataset, "annotations": self._results})
        with contextlib.redirect_stdout(io.StringIO()):
            coco_eval = COCOeval(self._truth, found, "bbox")
            params = coco_eval.params
            params.maxDets = [1, 10, max(MOST_DETECTIONS, self._most)]
            if not every_size:
                params.areaRng, params.areaRngLbl = params.areaRng[:1], params.areaRngLbl[:1]
            coco_eval.evaluate()
            coco_eval.accumulate()
        return coco_eval

    def _numbers(self, coco_eval: Any, names: Sequence[str]) -> dict[str, Any]:
        """Return some of COCO's values, and two values of each class."""
        numbers: dict[str, Any] = {name: _summary(coco_eval, *_SUMMARIES[name]) for name in names}
        # axes: IoU (0.50 first), recall, category, size of objects (all first), limit of detections (largest
        # last)
        precision = coco_eval.eval["precision"][:, :, :, 0, -1]
        numbers["per_class"] = {
            name: {
                "COCO_AP": _mean_known(precision[:, :, class_id]),
                "COCO_AP50": _mean_known(precision[0, :, class_id]),
            }
            for class_id, name in enumerate(self._class_names)
        }
        return numbers


class COCOMeans(COCOMetric):
    """:class:`COCOMetric` with AP and AP50 only, in a third of the time.

    pycocotools then does not match the objects again for each of three sizes.
    """

    def compute(self) -> dict[str, Any]:
        """Return ``AP`` and ``AP50`` over all images, and ``per_class`` as in ``COCOMetric``."""
        return self._numbers(self._evaluated(every_size=False), ("AP", "AP50"))


def truth_of(dataset: Dataset) -> dict[str, Any]:
    """Return a data set's objects and crowds as annotations in COCO's format.

    Objects marked difficult become crowds, which COCO counts neither as found nor as missed.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index in range(len(dataset)):
        height, width = dataset.size_hw(index)
        size = {"height": int(height), "width": int(width)}
        images.append({"id": index, "file_name": dataset.name(index), **size})
        truth, crowds = dataset.annotations(index), dataset.crowds(index)
        difficult = np.zeros(len(truth), dtype=bool) if truth.difficult is None else truth.difficult
        for record, area, neither in zip(_records(index, truth), dataset.areas(index), difficult):
            annotations.append({**record, "area": float(area), "iscrowd": int(neither)})
        annotations += [{**record, "iscrowd": 1} for record in _records(index, crowds)]
    for number, annotation in enumerate(annotations, 1):  # 0 means "no match" in pycocotools
        annotation["id"] = number
    categories = [{"id": class_id, "name": name} for class_id, name in enumerate(dataset.class_names, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _records(index: int, objects: Detections) -> list[dict[str, Any]]:
    """Return the annotations of an image's objects in COCO's format, without ids and marks."""
    boxes = objects.boxes.astype(np.float64)
    sizes = boxes[:, 2:] - boxes[:, :2]
    return [
        {
            "image_id": index,
            "category_id": class_id + 1,
            "bbox": [*xy, width, height],
            "area": width * height,
            "iscrowd": 0,
        }
        for xy, (width, height), class_id in zip(
            boxes[:, :2].tolist(), sizes.tolist(), objects.class_ids.tolist()
        )
    ]


def _most_objects(truth: dict[str, Any]) -> int:
    """Return the largest number of objects of one class in an image, as a limit for COCO's detections."""
    counts = Counter(
        (annotation["image_id"], annotation["category_id"])
        for annotation in truth["annotations"]
        if not annotation["iscrowd"]
    )
    return max(counts.values(), default=0)


def _summary(coco_eval: Any, is_precision: int, overlap: float | None, size: str, limit: int) -> float:
    """Return one of COCO's values; pycocotools' own summary supports only the limit 100.

    Args:
        coco_eval: a ``COCOeval`` after ``accumulate``.
        is_precision: 1 for average precision, 0 for average recall.
        overlap: the IoU; None is the mean over all.
        size: of the objects, a label of pycocotools.
        limit: index of the limit of detections.
    """
    values = coco_eval.eval["precision" if is_precision else "recall"]
    values = values[..., coco_eval.params.areaRngLbl.index(size), limit]
    if overlap is not None:
        values = values[coco_eval.params.iouThrs == overlap]
    mean = _mean_known(values)
    return -1.0 if np.isnan(mean) else mean


def _index(content: dict[str, Any]) -> Any:
    """Return a pycocotools ``COCO`` of annotations, created without output."""
    try:
        from pycocotools.coco import COCO
    except ImportError as error:
        raise UserError("COCO's numbers need pycocotools: pip install pycocotools") from error
    with contextlib.redirect_stdout(io.StringIO()):
        api = COCO()
        api.dataset = content
        api.createIndex()
    return api


def _mean_known(values: np.ndarray) -> float:
    """Return the mean of the entries that exist (-1 marks the others); NaN when there is none."""
    known = values[values > -1]
    return float(known.mean()) if known.size else float("nan")
