"""VOCMetric: average precision at one overlap, in both ways that Pascal VOC counts it.

The 2007 way averages the precision at eleven recalls; the later way takes the area under the precision-recall
curve. Everingham et al., "The Pascal Visual Object Classes (VOC) Challenge", IJCV 2010, section 4.2. The
numbers are those of GluonCV's ``VOC07MApMetric`` and ``VOCMApMetric``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon_yolo.boxes import iou_matrix
from gluon_yolo.structures import Detections

WRONG, RIGHT, LEFT_OUT = 0, 1, -1


class VOCMetric:
    """Collects predictions and ground truth picture by picture, and turns them into average precision.

    Args:
        class_names: one name per class id.
        iou_threshold: overlap from which a prediction counts as the object.
    """

    def __init__(self, class_names: Sequence[str], iou_threshold: float = 0.5) -> None:
        """Start with no picture seen."""
        self.class_names = tuple(class_names)
        self.iou_threshold = iou_threshold
        self.reset()

    def reset(self) -> None:
        """Forget all pictures."""
        self._truths = np.zeros(len(self.class_names), dtype=np.int64)
        self._scores: list[list[np.ndarray]] = [[] for _ in self.class_names]
        self._verdicts: list[list[np.ndarray]] = [[] for _ in self.class_names]

    def update(self, predicted: Detections, truth: Detections) -> None:
        """Take in one picture.

        Args:
            predicted: boxes with scores, in the picture's pixels.
            truth: the objects; those marked difficult need not be found, and count neither way when found.

        Raises:
            ValueError: when the predictions carry no scores, or a class id has no name.
        """
        if predicted.scores is None:
            raise ValueError("predicted: expected scores, got None")
        present = np.union1d(predicted.class_ids, truth.class_ids)
        if len(present) and not 0 <= present[0] <= present[-1] < len(self.class_names):
            last = len(self.class_names) - 1
            raise ValueError(f"class ids: expected 0..{last}, got {present[0]}..{present[-1]}")
        difficult = np.zeros(len(truth), dtype=bool) if truth.difficult is None else truth.difficult
        for class_id in present:
            mine, objects = predicted.class_ids == class_id, truth.class_ids == class_id
            order = _best_first(predicted.scores[mine])
            self._truths[class_id] += np.count_nonzero(~difficult[objects])
            self._scores[class_id].append(predicted.scores[mine][order])
            verdicts = _judge(
                predicted.boxes[mine][order], truth.boxes[objects], difficult[objects], self.iou_threshold
            )
            self._verdicts[class_id].append(verdicts)

    def observe(self, index: int, predicted: Detections, truth: Detections) -> None:
        """Take in one picture; its ``index`` in the data set does not matter here."""
        self.update(predicted, truth)

    def compute(self) -> dict[str, Any]:
        """Return both means, and both numbers of every class.

        Returns:
            ``VOC07_mAP50`` and ``VOC_mAP50`` (50 for an overlap of 0.5), and ``per_class``:
            ``{name: {"AP07", "AP", "truths"}}``. A class without an object that counts has NaN and is left
            out of the means, which are NaN themselves when no class has one.
        """
        per_class: dict[str, dict[str, Any]] = {}
        for class_id, name in enumerate(self.class_names):
            truths = int(self._truths[class_id])
            numbers = {"AP07": float("nan"), "AP": float("nan")}
            if truths:
                recall, precision = self._curve(class_id, truths)
                numbers = {"AP07": eleven_point_ap(recall, precision), "AP": area_ap(recall, precision)}
            per_class[name] = {**numbers, "truths": truths}
        suffix = f"mAP{round(100 * self.iou_threshold)}"
        return {
            f"VOC07_{suffix}": _mean(entry["AP07"] for entry in per_class.values()),
            f"VOC_{suffix}": _mean(entry["AP"] for entry in per_class.values()),
            "per_class": per_class,
        }

    def _curve(self, class_id: int, truths: int) -> tuple[np.ndarray, np.ndarray]:
        """Return recall (P,) and precision (P,) after each prediction of a class, best score first."""
        scores = np.concatenate([np.zeros(0, dtype=np.float32), *self._scores[class_id]])
        verdicts = np.concatenate([np.zeros(0, dtype=np.int64), *self._verdicts[class_id]])
        verdicts = verdicts[_best_first(scores)]
        right, wrong = np.cumsum(verdicts == RIGHT), np.cumsum(verdicts == WRONG)
        return right / truths, right / np.maximum(right + wrong, 1)


def eleven_point_ap(recall: np.ndarray, precision: np.ndarray) -> float:
    """Return the mean over the recalls 0, 0.1 ... 1 of the best precision (P,) at that recall (P,) or up."""
    # Multiples of 0.1, as in GluonCV: the fourth is 0.30000000000000004, and a recall of 3/10 just misses it.
    points = [precision[recall >= point].max(initial=0.0) for point in np.arange(0.0, 1.1, 0.1)]
    return float(np.mean(points))


def area_ap(recall: np.ndarray, precision: np.ndarray) -> float:
    """Return the area under the precision (P,) over recall (P,) curve, precision made to fall only."""
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def _judge(boxes: np.ndarray, truths: np.ndarray, difficult: np.ndarray, iou_threshold: float) -> np.ndarray:
    """Return a verdict for each box (P, 4) of one class, best score first, against the truths (G, 4)."""
    verdicts = np.full(len(boxes), WRONG)
    if not len(boxes) or not len(truths):
        return verdicts
    inclusive = np.array([0, 0, 1, 1], dtype=np.float32)  # VOC's x2, y2 is the last pixel, not its far edge
    overlaps = iou_matrix(boxes + inclusive, truths + inclusive)
    nearest, best = overlaps.argmax(axis=1), overlaps.max(axis=1)
    taken = np.zeros(len(truths), dtype=bool)
    for i in np.flatnonzero(best >= iou_threshold):
        if difficult[nearest[i]]:
            verdicts[i] = LEFT_OUT
        elif not taken[nearest[i]]:
            verdicts[i] = RIGHT
        taken[nearest[i]] = True
    return verdicts


def _best_first(scores: np.ndarray) -> np.ndarray:
    """Return the order of falling scores; ties fall as they do in GluonCV, whose numbers ours must equal."""
    return scores.argsort()[::-1]


def _mean(values: Any) -> float:
    """Return the mean of the values that are numbers, NaN when there is none."""
    numbers = [value for value in values if not np.isnan(value)]
    return float(np.mean(numbers)) if numbers else float("nan")
