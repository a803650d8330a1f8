"""Match predictions with objects at one IoU threshold, as Pascal VOC defines it.

By descending score, each prediction is compared with the object of its class that has the highest IoU. It is
a true positive when the IoU reaches the threshold and no better prediction has matched the object, else a
false positive. On an object marked difficult it is ignored. Predictions with lower scores do not change this,
so one matching is valid for every score threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gluon_yolo.boxes import iou_matrix
from gluon_yolo.detections import Detections

WRONG, RIGHT, LEFT_OUT = 0, 1, -1


class Matched(NamedTuple):
    """The predictions of one class over all images, or those of several classes together.

    Args:
        scores: (P,) descending.
        verdicts: (P,) ``RIGHT``, ``WRONG`` or ``LEFT_OUT``.
        truths: number of objects, without difficult ones.
    """

    scores: np.ndarray
    verdicts: np.ndarray
    truths: int

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """Return recall (P,) and precision (P,) after each prediction; ``truths`` must not be 0."""
        right, wrong = np.cumsum(self.verdicts == RIGHT), np.cumsum(self.verdicts == WRONG)
        return right / self.truths, right / np.maximum(right + wrong, 1)


class Matching:
    """Collect predictions and ground truth by image, and match them.

    Args:
        class_names: one name per class id.
        iou_threshold: IoU from which on a prediction matches an object.
    """

    def __init__(self, class_names: Sequence[str], iou_threshold: float = 0.5) -> None:
        self.class_names = tuple(class_names)
        self.iou_threshold = iou_threshold
        self.reset()

    def reset(self) -> None:
        """Remove all images."""
        self._truths = np.zeros(len(self.class_names), dtype=np.int64)
        self._scores: list[list[np.ndarray]] = [[] for _ in self.class_names]
        self._verdicts: list[list[np.ndarray]] = [[] for _ in self.class_names]

    def update(self, predicted: Detections, truth: Detections) -> None:
        """Add one image.

        Args:
            predicted: boxes with scores, in the image's pixels.
            truth: the objects; those marked difficult count neither as found nor as missed.

        Raises:
            ValueError: the predictions have no scores, or a class id has no name.
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
            verdicts = _match(
                predicted.boxes[mine][order], truth.boxes[objects], difficult[objects], self.iou_threshold
            )
            self._verdicts[class_id].append(verdicts)

    def of_class(self, class_id: int) -> Matched:
        """Return the matched predictions of one class."""
        return _joined([self._scores[class_id]], [self._verdicts[class_id]], int(self._truths[class_id]))

    def together(self) -> Matched:
        """Return the matched predictions of all classes together."""
        return _joined(self._scores, self._verdicts, int(self._truths.sum()))


def _joined(
    scores: Sequence[Sequence[np.ndarray]], verdicts: Sequence[Sequence[np.ndarray]], truths: int
) -> Matched:
    flat_scores = np.concatenate([np.zeros(0, dtype=np.float32), *(part for each in scores for part in each)])
    flat_verdicts = np.concatenate(
        [np.zeros(0, dtype=np.int64), *(part for each in verdicts for part in each)]
    )
    order = _best_first(flat_scores)
    return Matched(flat_scores[order], flat_verdicts[order], truths)


def _match(boxes: np.ndarray, truths: np.ndarray, difficult: np.ndarray, iou_threshold: float) -> np.ndarray:
    """Return a verdict for each box (P, 4) of one class, by descending score, against the truths (G, 4)."""
    verdicts = np.full(len(boxes), WRONG)
    if not len(boxes) or not len(truths):
        return verdicts
    inclusive = np.array([0, 0, 1, 1], dtype=np.float32)  # VOC's x2, y2 is the last pixel, not its edge
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
    """Return the order of descending scores; ties are ordered as in GluonCV, so that the values are equal."""
    return scores.argsort()[::-1]
