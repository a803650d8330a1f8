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
        images: (P,) the index of each prediction's image.
    """

    scores: np.ndarray
    verdicts: np.ndarray
    truths: int
    images: np.ndarray

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """Return recall (P,) and precision (P,) after each prediction; ``truths`` must not be 0."""
        right, wrong = np.cumsum(self.verdicts == RIGHT), np.cumsum(self.verdicts == WRONG)
        return right / self.truths, right / np.maximum(right + wrong, 1)


class Matching:
    """Collect predictions and ground truth by image, and match them.

    Args:
        class_names: one name per class id.
        iou_threshold: IoU from which on a prediction matches an object.

    Attributes:
        truths_of: the number of objects, without difficult ones, by the index of the image.
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
        self._images: list[list[int]] = [[] for _ in self.class_names]
        self.truths_of: dict[int, int] = {}

    def update(self, predicted: Detections, truth: Detections, index: int | None = None) -> None:
        """Add one image.

        Args:
            predicted: boxes with scores, in the image's pixels.
            truth: the objects; those marked difficult count neither as found nor as missed.
            index: of the image in the data set. None takes the number of images before it.

        Raises:
            ValueError: the predictions have no scores, or a class id has no name.
        """
        present = checked_class_ids(predicted, truth, len(self.class_names))
        assert predicted.scores is not None
        index = len(self.truths_of) if index is None else index
        difficult = marks_of(truth)
        self.truths_of[index] = int(np.count_nonzero(~difficult))
        for class_id in present:
            mine, objects = predicted.class_ids == class_id, truth.class_ids == class_id
            order = _best_first(predicted.scores[mine])
            self._truths[class_id] += np.count_nonzero(~difficult[objects])
            self._scores[class_id].append(predicted.scores[mine][order])
            self._images[class_id].append(index)
            verdicts = _match(
                predicted.boxes[mine][order], truth.boxes[objects], difficult[objects], self.iou_threshold
            )
            self._verdicts[class_id].append(verdicts)

    def of_class(self, class_id: int) -> Matched:
        """Return the matched predictions of one class."""
        return self._joined([class_id])

    def together(self) -> Matched:
        """Return the matched predictions of all classes together."""
        return self._joined(range(len(self.class_names)))

    def _joined(self, class_ids: Sequence[int]) -> Matched:
        """Return the matched predictions of some classes."""
        scores = [part for class_id in class_ids for part in self._scores[class_id]]
        verdicts = [part for class_id in class_ids for part in self._verdicts[class_id]]
        indices = [index for class_id in class_ids for index in self._images[class_id]]
        flat_scores = np.concatenate([np.zeros(0, dtype=np.float32), *scores])
        flat_verdicts = np.concatenate([np.zeros(0, dtype=np.int64), *verdicts])
        counts = np.array([len(part) for part in scores], dtype=np.int64)
        images = np.repeat(np.array(indices, dtype=np.int64), counts)
        order = _best_first(flat_scores)
        truths = int(self._truths[list(class_ids)].sum())
        return Matched(flat_scores[order], flat_verdicts[order], truths, images[order])


def checked_class_ids(predicted: Detections, truth: Detections, num_classes: int) -> np.ndarray:
    """Return the class ids that an image's predictions and objects have, ascending.

    Raises:
        ValueError: the predictions have no scores, or a class id is not below ``num_classes``.
    """
    if predicted.scores is None:
        raise ValueError("predicted: expected scores, got None")
    present = np.union1d(predicted.class_ids, truth.class_ids)
    if len(present) and not 0 <= present[0] <= present[-1] < num_classes:
        raise ValueError(f"class ids: expected 0..{num_classes - 1}, got {present[0]}..{present[-1]}")
    return present


def marks_of(truth: Detections) -> np.ndarray:
    """Return which objects (N,) bool are marked difficult."""
    return np.zeros(len(truth), dtype=bool) if truth.difficult is None else truth.difficult


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
