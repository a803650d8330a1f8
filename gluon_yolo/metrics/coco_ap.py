"""COCOMetric: COCO's twelve numbers for boxes, counted by pycocotools.

pycocotools is imported when the first metric is made, and its printing is kept quiet.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.boxes import area
from gluon_yolo.data.coco.dataset import COCODataset
from gluon_yolo.data.coco.json_file import corners
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.errors import UserError
from gluon_yolo.structures import Detections

NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")

logger = logging.getLogger("gluon_yolo")


class COCOMetric:
    """Collects predictions picture by picture, and scores them against annotations in COCO's form.

    Args:
        annotations: an ``instances_*.json`` file, or its content as a dict; a dict is completed in place.
        category_ids: the category id of each class index; all categories of the annotations, in their order,
            when None. Other categories are not scored.
        image_ids: the pictures that are scored, in the data set's order; all of the annotations when None.

    Raises:
        UserError: when the file cannot be read, or is not COCO's form, or pycocotools is not installed.
        ValueError: when a category or image id is not in the annotations.
    """

    def __init__(
        self,
        annotations: str | Path | dict[str, Any],
        category_ids: Sequence[int] | None = None,
        image_ids: Sequence[int] | None = None,
    ) -> None:
        """Read the ground truth and start with no picture seen."""
        content = annotations if isinstance(annotations, dict) else _read(Path(annotations))
        self._truth = _index(_complete(content))
        self.category_ids = list(self._truth.cats) if category_ids is None else list(category_ids)
        self.image_ids = list(self._truth.imgs) if image_ids is None else list(image_ids)
        for what, ids, known in (
            ("category", self.category_ids, self._truth.cats),
            ("image", self.image_ids, self._truth.imgs),
        ):
            unknown = sorted(set(ids) - set(known))
            if unknown:
                raise ValueError(f"{what} ids: {unknown[:5]} are not in the annotations")
        self.reset()

    @classmethod
    def from_dataset(cls, dataset: Dataset) -> COCOMetric:
        """Return the metric of a data set, over its own COCO file or over annotations made from its boxes."""
        if isinstance(dataset, COCODataset):
            content = _read(Path(dataset.annotations_file))
            known = {category["id"] for category in content["categories"]}
            # Classes of the training data that the file does not know; nothing of them is to be found.
            content["categories"] += [
                {"id": category_id, "name": name}
                for category_id, name in zip(dataset.category_ids, dataset.class_names)
                if category_id not in known
            ]
            return cls(content, dataset.category_ids, dataset.image_ids)
        return cls(truth_of(dataset))

    def reset(self) -> None:
        """Forget all predictions."""
        self._results: list[dict[str, Any]] = []
        self._seen: set[int] = set()

    def update(self, image_id: int, predicted: Detections) -> None:
        """Take in the predictions for one picture, in its pixels.

        Raises:
            ValueError: when there are no scores, the image is unknown, or was taken in before.
        """
        if predicted.scores is None:
            raise ValueError("predicted: expected scores, got None")
        if image_id in self._seen or image_id not in self._truth.imgs:
            why = "seen twice" if image_id in self._seen else "not in the annotations"
            raise ValueError(f"image id {image_id}: {why}")
        self._seen.add(image_id)
        boxes = predicted.boxes.astype(np.float64)
        sizes = boxes[:, 2:] - boxes[:, :2]
        for xy, wh, class_id, score in zip(boxes[:, :2], sizes, predicted.class_ids, predicted.scores):
            self._results.append(
                {
                    "id": len(self._results) + 1,
                    "image_id": image_id,
                    "category_id": self.category_ids[class_id],
                    "bbox": [*xy.tolist(), *wh.tolist()],
                    "area": float(wh.prod()),
                    "score": float(score),
                    "iscrowd": 0,
                }
            )

    def observe(self, index: int, predicted: Detections, truth: Detections) -> None:
        """Take in picture ``index`` of the data set; the truth is the annotations', not ``truth``."""
        self.update(self.image_ids[index], predicted)

    def compute(self) -> dict[str, Any]:
        """Return COCO's twelve numbers and each class's own two.

        Returns:
            ``AP AP50 AP75 APs APm APl AR1 AR10 AR100 ARs ARm ARl`` as pycocotools gives them, -1 where
            there is nothing to find, and ``per_class``: ``{name: {"COCO_AP", "COCO_AP50"}}``, NaN there.
        """
        from pycocotools.cocoeval import COCOeval

        missing = len(set(self.image_ids) - self._seen)
        if missing:
            message = "COCO: %d of %d pictures were not predicted; their objects count as missed."
            logger.warning(message, missing, len(self.image_ids))
        found = _index({**self._truth.dataset, "annotations": self._results})
        with contextlib.redirect_stdout(io.StringIO()):
            judge = COCOeval(self._truth, found, "bbox")
            judge.params.imgIds = sorted(set(self.image_ids))
            judge.params.catIds = sorted(set(self.category_ids))
            judge.evaluate()
            judge.accumulate()
            judge.summarize()
        numbers: dict[str, Any] = dict(zip(NAMES, (float(number) for number in judge.stats)))
        # axes: overlap (0.50 first), recall, category, object size (all first), most detections (100 last)
        precision = judge.eval["precision"][:, :, :, 0, -1]
        numbers["per_class"] = {
            self._truth.cats[category]["name"]: {
                "COCO_AP": _mean_known(precision[:, :, place]),
                "COCO_AP50": _mean_known(precision[0, :, place]),
            }
            for category, place in ((c, judge.params.catIds.index(c)) for c in self.category_ids)
        }
        return numbers


def truth_of(dataset: Dataset) -> dict[str, Any]:
    """Turn a data set's boxes into annotations in COCO's form; image id = index, category id = class id + 1.

    Objects marked difficult become crowds, COCO's word for objects that count neither way.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index in range(len(dataset)):
        height, width = dataset.size_hw(index)
        size = {"height": int(height), "width": int(width)}
        images.append({"id": index, "file_name": dataset.name(index), **size})
        truth = dataset.truth(index)
        difficult = np.zeros(len(truth), dtype=bool) if truth.difficult is None else truth.difficult
        boxes = truth.boxes.astype(np.float64)
        for box, box_area, class_id, hard in zip(boxes, area(boxes), truth.class_ids, difficult):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index,
                    "category_id": int(class_id) + 1,
                    "bbox": [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()],
                    "area": float(box_area),
                    "iscrowd": int(hard),
                }
            )
    categories = [{"id": i + 1, "name": name} for i, name in enumerate(dataset.class_names)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _read(path: Path) -> dict[str, Any]:
    """Return the content of an annotation file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        message = f"{path}: cannot be read as COCO annotations ({error}); give an instances_*.json file"
        raise UserError(message) from error
    wanted = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in wanted):
        raise UserError(f"{path}: is not COCO's form; it needs the lists {', '.join(wanted)}")
    return content


def _complete(content: dict[str, Any]) -> dict[str, Any]:
    """Add what pycocotools needs and exporters forget: ``iscrowd``, ``area``, ids it can count with."""
    # A box that is not four numbers is no box; the data set's reader has reported it.
    annotations = [a for a in content["annotations"] if np.isfinite(corners(a.get("bbox"))).all()]
    content["annotations"] = annotations
    for annotation in annotations:
        annotation.setdefault("iscrowd", 0)
        if annotation.get("difficult"):
            annotation["iscrowd"] = 1  # COCO's word for objects that count neither way
        annotation.setdefault("area", annotation["bbox"][2] * annotation["bbox"][3])
    ids = {annotation.get("id") for annotation in annotations}
    if len(ids) < len(annotations) or not ids.isdisjoint({0, None}):
        # pycocotools marks "no match" with 0, and would count a found object of that id as a mistake.
        logger.warning("COCO: annotation ids were 0, missing or used twice; numbered anew.")
        for number, annotation in enumerate(annotations, 1):
            annotation["id"] = number
    return content


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


def _mean_known(precision: np.ndarray) -> float:
    """Return the mean of the entries that exist (-1 marks none), NaN when there is none."""
    known = precision[precision > -1]
    return float(known.mean()) if known.size else float("nan")
