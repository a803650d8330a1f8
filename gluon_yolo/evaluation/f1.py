"""Precision, recall and F1 at a score threshold, and the threshold with the best F1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon_yolo.detections import Detections
from gluon_yolo.evaluation.matching import RIGHT, WRONG, Matched, Matching
from gluon_yolo.nms import SHOWN_SCORE

NONE = float("nan")


class F1Metric:
    """Collect predictions and ground truth by image, and count true and false positives above a threshold.

    :class:`gluon_yolo.evaluation.matching.Matching` matches predictions with objects, as for VOC's average
    precision.

    Args:
        class_names: one name per class id.
        threshold: predictions with a higher score count.
        least_score: lowest score of the predictions; the best threshold is not below it.
        iou_threshold: IoU from which on a prediction matches an object.
        matching: that of another metric, which updates and resets it. None makes one with ``iou_threshold``.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        threshold: float = SHOWN_SCORE,
        least_score: float = 0.0,
        iou_threshold: float = 0.5,
        matching: Matching | None = None,
    ) -> None:
        self._is_shared = matching is not None
        self._matching = Matching(class_names, iou_threshold) if matching is None else matching
        self.threshold, self.least_score = threshold, least_score

    def update(self, index: int, predicted: Detections, truth: Detections) -> None:
        """Add one image."""
        if not self._is_shared:
            self._matching.update(predicted, truth, index)

    def reset(self) -> None:
        """Remove all images."""
        if not self._is_shared:
            self._matching.reset()

    def compute(self) -> dict[str, Any]:
        """Return counts and rates at the threshold, and the best threshold, by class and for all together.

        Returns:
            ``F1_threshold``; for all classes together, with equal weight for every object, ``TP`` (found),
            ``FP`` (wrong), ``FN`` (missed), ``precision``, ``recall``, ``F1``, and ``best_F1``,
            ``best_precision`` and ``best_recall`` at ``best_threshold``; and ``per_class``: ``{name: the
            same}``. A value that is not defined, such as the recall of a class without objects, is NaN.
        """
        classes = {
            name: self._numbers(self._matching.of_class(class_id))
            for class_id, name in enumerate(self._matching.class_names)
        }
        together = self._numbers(self._matching.together())
        return {"F1_threshold": self.threshold, **together, "per_class": classes}

    def _numbers(self, matched: Matched) -> dict[str, Any]:
        """Return the values of one class, or of all together."""
        return {**self._at_threshold(matched), **self._best(matched)}

    def _at_threshold(self, matched: Matched) -> dict[str, Any]:
        """Return counts and rates at the threshold."""
        verdicts = matched.verdicts[matched.scores > self.threshold]
        found, wrong = int((verdicts == RIGHT).sum()), int((verdicts == WRONG).sum())
        missed = matched.truths - found
        shares = {
            "precision": _share(found, found + wrong),
            "recall": _share(found, matched.truths),
            "F1": _share(2 * found, 2 * found + wrong + missed),
        }
        return {"TP": found, "FP": wrong, "FN": missed, **shares}

    def _best(self, matched: Matched) -> dict[str, float]:
        """Return the best F1 with its threshold, precision and recall.

        The threshold is the mean of the last score above it and the next lower one. Of several best ones the
        highest is returned.
        """
        counts = matched.verdicts >= WRONG
        scores, verdicts = matched.scores[counts].astype(np.float64), matched.verdicts[counts]
        found = np.cumsum(verdicts == RIGHT)
        lower = np.append(scores[1:], self.least_score)
        ends = np.flatnonzero(scores > lower)  # a threshold cannot separate equal scores
        names = ("best_F1", "best_threshold", "best_precision", "best_recall")
        if not matched.truths or not len(ends) or not found[-1]:
            return dict(zip(names, (0.0 if matched.truths else NONE, NONE, NONE, NONE)))
        f1 = 2 * found[ends] / (ends + 1 + matched.truths)
        best = ends[f1.argmax()]
        threshold = (scores[best] + lower[best]) / 2
        shares = (found[best] / (best + 1), found[best] / matched.truths)
        return dict(zip(names, map(float, (f1.max(), threshold, *shares))))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else NONE
