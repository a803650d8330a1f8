"""Ranking: the images of an evaluation by their errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon_yolo.evaluation.matching import RIGHT, WRONG, Matching


@dataclasses.dataclass(frozen=True)
class ImageErrors:
    """The counts of one image at a score threshold.

    Args:
        index: of the image in the data set.
        found: objects with a matching detection.
        wrong: detections without an object.
        missed: objects without a detection.
    """

    index: int
    found: int
    wrong: int
    missed: int

    def numbers(self, name: str) -> dict[str, Any]:
        """Return plain values under the keys of the metrics, for JSON."""
        return {"picture": name, "TP": self.found, "FP": self.wrong, "FN": self.missed}


class Ranking:
    """Images by their errors at a score threshold, matched as for F1.

    Images with the same number of errors are ordered by scores. Of the worst, the image whose wrong
    detections have the higher scores in sum comes first. Of the best, the image with more found objects comes
    first, then the one whose found objects have the higher scores in sum.

    Args:
        matching: of all images.
        threshold: detections with a higher score count.
    """

    def __init__(self, matching: Matching, threshold: float) -> None:
        self.threshold = threshold
        indices = np.array(sorted(matching.truths_of), dtype=np.int64)
        matched = matching.together()
        counted = matched.scores > threshold
        at = np.searchsorted(indices, matched.images[counted])
        verdicts, scores = matched.verdicts[counted], matched.scores[counted].astype(np.float64)
        right, wrong = verdicts == RIGHT, verdicts == WRONG

        def summed(chosen: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
            given = None if weights is None else weights[chosen]
            return np.bincount(at[chosen], given, minlength=len(indices))

        found, false = summed(right), summed(wrong)
        missed = np.array([matching.truths_of[index] for index in indices.tolist()], dtype=np.int64) - found
        rows = zip(indices.tolist(), found.tolist(), false.tolist(), missed.tolist())
        self._images = [ImageErrors(*row) for row in rows]
        errors = false + missed
        self._worst = np.lexsort((indices, -summed(wrong, scores), -errors))
        self._best = np.lexsort((indices, -summed(right, scores), -found, errors))

    def worst(self, n: int | None = None) -> list[ImageErrors]:
        """Return the n images with the most errors, the worst first; None returns all images."""
        return self._chosen(self._worst[:n])

    def best(self, n: int | None = None) -> list[ImageErrors]:
        """Return the n images with the fewest errors, the best first; None returns all images."""
        return self._chosen(self._best[:n])

    def _chosen(self, order: Sequence[int] | np.ndarray) -> list[ImageErrors]:
        return [self._images[i] for i in order]
