"""COCOMetric: COCO's twelve numbers for boxes, counted by pycocotools.

The ground truth is the data set's own: objects, their areas, crowds. No annotation file is read here, so that
what is no object for training is none for these numbers.

pycocotools is imported when the first metric is made, and its printing is kept quiet.
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
"""Detections of a class that COCO counts in a picture; more where a picture has more objects of it."""

# How pycocotools summarizes: precision or recall, at which overlap, of objects of which size, among how many.
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
    """Say whether pycocotools is installed, without which there are no numbers of COCO's."""
    return importlib.util.find_spec("pycocotools") is not None


class COCOMetric:
    """Collects predictions image by image, and scores them against a data set's ground truth.

    Args:
        truth: annotations in COCO's form, as :func:`truth_of` makes them: image ids are indices, category ids
            are class ids + 1, annotation ids count from 1.

    Raises:
        UserError: pycocotools is not installed.
    """

    def __init__(self, truth: dict[str, Any]) -> None:
        """Take in the ground truth and start with no image seen."""
        self._truth = _index(truth)
        self._class_names = [category["name"] for category in truth["categories"]]
        self._most = _most_objects(truth)
        self.reset()

    @classmethod
    def from_dataset(cls, dataset: Dataset) -> COCOMetric:
        """Return the metric of a data set's objects, areas and crowds."""
        return cls(truth_of(dataset))

    def reset(self) -> None:
        """Forget all predictions."""
        self._results: list[dict[str, Any]] = []
        self._seen: set[int] = set()

    def update(self, index: int, predicted: Detections, truth: Detections) -> None:
        """Take in the predictions for image ``index``, in its pixels; the truth is known already.

        Raises:
            ValueError: there are no scores, the image is unknown, or was taken in before.
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
        """Return COCO's twelve numbers and each class's own two.

        Returns:
            ``AP AP50 AP75 APs APm APl AR1 AR10 AR100 ARs ARm ARl`` as pycocotools gives them, -1 where
            there is nothing to find, and ``per_class``: ``{name: {"COCO_AP", "COCO_AP50"}}``, NaN there.
        """
        return self._numbers(self._judged(), NAMES)

    def _judged(self, every_size: bool = True) -> Any:
        """Return a ``COCOeval`` of the predictions, of small, medium and large objects apart if asked."""
        from pycocotools.cocoeval import COCOeval

        missing = len(self._truth.imgs) - len(self._seen)
        if missing:
            message = "COCO: %d of %d pictures were not predicted; their objects count as missed."
            logger.warning(message, missing, len(self._truth.imgs))
        found = _index({**self._truth.dataset, "annotations": self._results})
        with contextlib.redirect_stdout(io.StringIO()):
            judge = COCOeval(self._truth, found, "bbox")
            params = judge.params
            params.maxDets = [1, 10, max(MOST_DETECTIONS, self._most)]
            if not every_size:
                params.areaRng, params.areaRngLbl = params.areaRng[:1], params.areaRngLbl[:1]
            judge.evaluate()
            judge.accumulate()
        return judge

    def _numbers(self, judge: Any, names: Sequence[str]) -> dict[str, Any]:
        """Return some of COCO's numbers, and each class's own two."""
        numbers: dict[str, Any] = {name: _summary(judge, *_SUMMARIES[name]) for name in names}
        # axes: overlap (0.50 first), recall, category, object size (all first), most detections (all last)
        precision = judge.eval["precision"][:, :, :, 0, -1]
        numbers["per_class"] = {
            name: {
                "COCO_AP": _mean_known(precision[:, :, class_id]),
                "COCO_AP50": _mean_known(precision[0, :, class_id]),
            }
            for class_id, name in enumerate(self._class_names)
        }
        return numbers


class COCOMeans(COCOMetric):
    """As :class:`COCOMetric`, but two numbers in the place of twelve.

    pycocotools matches objects once, and not once more for each of three sizes: a third of the time.
    """

    def compute(self) -> dict[str, Any]:
        """Return ``AP`` and ``AP50`` over all images, and ``per_class``, as ``COCOMetric`` does."""
        return self._numbers(self._judged(every_size=False), ("AP", "AP50"))


def truth_of(dataset: Dataset) -> dict[str, Any]:
    """Turn a data set's objects and crowds into annotations in COCO's form.

    Objects marked difficult become crowds, COCO's word for what counts neither way.
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
    for number, annotation in enumerate(annotations, 1):  # 0 is pycocotools' mark for "no match"
        annotation["id"] = number
    categories = [{"id": class_id, "name": name} for class_id, name in enumerate(dataset.class_names, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _records(index: int, objects: Detections) -> list[dict[str, Any]]:
    """Return what COCO has of an image's objects, but for ids and marks."""
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
    """Return how many objects of one class an image has at most: COCO's limit would count some as missed."""
    counts = Counter(
        (annotation["image_id"], annotation["category_id"])
        for annotation in truth["annotations"]
        if not annotation["iscrowd"]
    )
    return max(counts.values(), default=0)


def _summary(judge: Any, is_precision: int, overlap: float | None, size: str, limit: int) -> float:
    """Return one of COCO's numbers; pycocotools' own summary knows of no other limit than 100.

    Args:
        judge: a ``COCOeval`` that has accumulated.
        is_precision: 1 for average precision, 0 for average recall.
        overlap: the IoU; None takes the mean over all of them.
        size: of the objects, a label of pycocotools.
        limit: which of the numbers of detections.
    """
    values = judge.eval["precision" if is_precision else "recall"]
    values = values[..., judge.params.areaRngLbl.index(size), limit]
    if overlap is not None:
        values = values[judge.params.iouThrs == overlap]
    mean = _mean_known(values)
    return -1.0 if np.isnan(mean) else mean


def _index(content: dict[str, Any]) -> Any:
    """Return a pycocotools ``COCO`` over the content, made without printing."""
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
    """Return the mean of the entries that exist (-1 marks none), NaN when there is none."""
    known = values[values > -1]
    return float(known.mean()) if known.size else float("nan")
