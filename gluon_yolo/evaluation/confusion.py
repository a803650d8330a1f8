"""The confusion matrix of detections: which class an object is detected as, and which are missed.

Detections above a score threshold are matched with objects of any class, one with one: pairs of the same
class first, then by descending IoU. The numbers equal those of supervision's ``ConfusionMatrix``, except that
an IoU which is exactly the threshold counts as a match here, as in the other metrics.

Crowds and objects marked difficult are not counted. Nor is a detection that matches no counted object of its
own class and lies on one of them: on a crowd of its class with the IoU threshold's share of its area, or on a
difficult object with that IoU. A difficult object of its own class comes before counted objects of others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable, NamedTuple, Optional

import numpy as np

from gluon_yolo.boxes import cover_matrix, iou_matrix
from gluon_yolo.detections import Detections
from gluon_yolo.evaluation.matching import checked_class_ids, marks_of
from gluon_yolo.nms import SHOWN_SCORE

BACKGROUND = "(background)"

Crowds = Callable[[int], Detections]
Pair = tuple[Optional[str], Optional[str], int]
"""An annotated class, a detected class, and how often; None is the background."""


class Confusion(NamedTuple):
    """The confusion matrix of an evaluation.

    Args:
        class_names: K names, in the order of the class ids.
        counts: (K + 1, K + 1) int64, rows by annotated class, columns by detected class; the last row has
            the detections without an object, the last column the objects without a detection.
        threshold: detections with a higher score are counted.
        iou: from which on a detection matches an object.
    """

    class_names: tuple[str, ...]
    counts: np.ndarray
    threshold: float
    iou: float

    @property
    def labels(self) -> tuple[str, ...]:
        """The K + 1 labels of rows and columns."""
        return (*self.class_names, BACKGROUND)

    def pairs(self) -> list[Pair]:
        """Return the cells that are not 0, the most frequent first."""
        rows, columns = np.nonzero(self.counts)
        order = np.argsort(-self.counts[rows, columns], kind="stable")
        names = (*self.class_names, None)
        return [(names[i], names[j], int(self.counts[i, j])) for i, j in zip(rows[order], columns[order])]

    def confused(self) -> list[Pair]:
        """Return the cells of objects that are detected as another class, the most frequent first."""
        return [pair for pair in self.pairs() if None not in pair and pair[0] != pair[1]]

    def records(self) -> list[dict[str, Any]]:
        """Return :meth:`pairs` as ``{"annotated", "detected", "count"}`` each, for JSON."""
        return [dict(zip(("annotated", "detected", "count"), pair)) for pair in self.pairs()]


class ConfusionMetric:
    """Collect predictions and ground truth by image, and count which class is detected as which.

    Args:
        class_names: one name per class id.
        threshold: predictions with a higher score are counted.
        iou: from which on a prediction matches an object.
        crowds: returns the crowds of an image by its index. None: there are none.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        threshold: float = SHOWN_SCORE,
        iou: float = 0.5,
        crowds: Crowds | None = None,
    ) -> None:
        self.class_names = tuple(class_names)
        self.threshold, self.iou = threshold, iou
        self._crowds = crowds
        self.reset()

    def reset(self) -> None:
        """Remove all images."""
        size = len(self.class_names) + 1
        self._counts = np.zeros((size, size), dtype=np.int64)

    def update(self, index: int, predicted: Detections, truth: Detections) -> None:
        """Add image ``index`` of the data set.

        Raises:
            ValueError: the predictions have no scores, or a class id has no name.
        """
        checked_class_ids(predicted, truth, len(self.class_names))
        assert predicted.scores is not None
        order = np.argsort(-predicted.scores, kind="stable")
        found = predicted[order[predicted.scores[order] > self.threshold]]
        difficult = marks_of(truth)
        objects, unsure = truth[~difficult], truth[difficult]
        pairs, free = self._matched(objects, found, same_class=True)
        free &= ~self._ignored(index, found, unsure)
        others, free = self._matched(objects, found, same_class=False, taken=pairs, free=free)
        free &= ~(_ious(unsure, found) >= self.iou).any(axis=0)
        background = len(self.class_names)
        missed = np.ones(len(objects), dtype=bool)
        for row, column in (*pairs, *others):
            self._counts[objects.class_ids[row], found.class_ids[column]] += 1
            missed[row] = False
        np.add.at(self._counts, (objects.class_ids[missed], background), 1)
        np.add.at(self._counts, (background, found.class_ids[free]), 1)

    def _matched(
        self,
        objects: Detections,
        found: Detections,
        same_class: bool,
        taken: Sequence[tuple[int, int]] = (),
        free: np.ndarray | None = None,
    ) -> tuple[list[tuple[int, int]], np.ndarray]:
        """Match detections that are free with objects that are not taken, by descending IoU.

        Args:
            objects: G objects.
            found: P detections.
            same_class: match those of the same class, or those of different classes.
            taken: earlier pairs.
            free: (P,) which detections can be matched; None is all.

        Returns:
            Pairs of an object's and a detection's index; and (P,) which detections are free then.
        """
        overlaps = _ious(objects, found)
        suits = objects.class_ids[:, None] == found.class_ids[None]
        rows, columns = np.nonzero((overlaps >= self.iou) & (suits == same_class))
        open_rows = np.ones(len(objects), dtype=bool)
        open_rows[[row for row, _ in taken]] = False
        free = np.ones(len(found), dtype=bool) if free is None else free.copy()
        pairs = []
        for at in np.argsort(-overlaps[rows, columns], kind="stable"):
            row, column = int(rows[at]), int(columns[at])
            if open_rows[row] and free[column]:
                open_rows[row] = free[column] = False
                pairs.append((row, column))
        return pairs, free

    def _ignored(self, index: int, found: Detections, unsure: Detections) -> np.ndarray:
        """Return which detections (P,) lie on a crowd or on a difficult object of their class."""
        on_unsure = (_ious(unsure, found) >= self.iou) & (unsure.class_ids[:, None] == found.class_ids[None])
        crowds = Detections.empty() if self._crowds is None else self._crowds(index)
        return on_unsure.any(axis=0) | lie_in(found, crowds, self.iou)

    def confusion(self) -> Confusion:
        """Return the matrix of all images."""
        return Confusion(self.class_names, self._counts.copy(), self.threshold, self.iou)

    def compute(self) -> dict[str, Any]:
        """Return the cells that are not 0 as ``confusion``, as in :meth:`Confusion.records`."""
        return {"confusion": self.confusion().records(), "per_class": {}}


def lie_in(found: Detections, regions: Detections, share: float) -> np.ndarray:
    """Return which detections (P,) bool have this share of their area or more in a region of their class."""
    if not len(regions):
        return np.zeros(len(found), dtype=bool)
    covered = cover_matrix(found.boxes.astype(np.float64), regions.boxes.astype(np.float64)) >= share
    return (covered & (found.class_ids[:, None] == regions.class_ids[None])).any(axis=1)


def _ious(objects: Detections, found: Detections) -> np.ndarray:
    """Return the IoU (G, P) of objects and detections."""
    return iou_matrix(objects.boxes.astype(np.float64), found.boxes.astype(np.float64))
