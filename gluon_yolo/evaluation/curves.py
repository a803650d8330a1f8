"""Curves: precision, recall and F1 over the score threshold, and precision over recall."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from gluon_yolo.evaluation.matching import RIGHT, WRONG, Matched, Matching
from gluon_yolo.tables import frame

SAMPLES = 1001
_JSON_SAMPLES = 101
_ROUNDING = 1e-9  # of a recall: 0.3 is 300 * 0.001 on the grid and 3 / 10 in the data


class Curve(NamedTuple):
    """The curves of one class, or of all classes together, with S samples at most.

    Args:
        thresholds: (S,) score thresholds, ascending from 0 to 1.
        precision: (S,) of the predictions with a higher score; NaN where there are none.
        recall: (S,) of the same; NaN where there are no objects.
        f1: (S,) of the same; NaN where there are neither.
        recalls: (R,) ascending from 0 to the largest recall, R <= S; empty without objects or predictions.
        precisions: (R,) the best precision at this recall or a higher one, as in VOC's average precision.
    """

    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    recalls: np.ndarray
    precisions: np.ndarray


def curve_of(matched: Matched, samples: int = SAMPLES) -> Curve:
    """Return the curves of matched predictions; those on difficult objects are ignored.

    Args:
        matched: from :class:`gluon_yolo.evaluation.matching.Matching`.
        samples: points of the score axis and of the recall axis, 2 or more.
    """
    counts = matched.verdicts >= WRONG
    scores, right = matched.scores[counts], matched.verdicts[counts] == RIGHT
    found = np.concatenate([[0], np.cumsum(right)])
    thresholds = np.linspace(0, 1, samples)
    # float32, as ``scores > threshold`` compares: a score of 0.3 is not above a threshold of 0.3.
    above = len(scores) - np.searchsorted(scores[::-1], thresholds.astype(scores.dtype), side="right")
    precision = _shares(found[above], above)
    recall = _shares(found[above], np.full(samples, matched.truths))
    f1 = _shares(2 * found[above], above + matched.truths)
    recalls, precisions = _over_recall(found[1:], matched.truths, samples)
    return Curve(thresholds, precision, recall, f1, recalls, precisions)


def _over_recall(found: np.ndarray, truths: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return recalls (R,) and precisions (R,) from the true positives (P,) up to each prediction."""
    if not truths or not len(found):
        return np.zeros(0), np.zeros(0)
    recall, precision = found / truths, found / np.arange(1, len(found) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    grid = np.linspace(0, 1, samples)
    grid = grid[grid <= recall[-1] + _ROUNDING]
    return grid, envelope[np.searchsorted(recall, grid - _ROUNDING)]


def _shares(parts: np.ndarray, wholes: np.ndarray) -> np.ndarray:
    """Return parts (S,) divided by wholes (S,); NaN where the whole is 0."""
    shares = np.full(len(parts), np.nan)
    return np.divide(parts, wholes, out=shares, where=wholes > 0)


class Curves:
    """The curves of all classes of an evaluation, computed when they are asked for.

    Args:
        matching: of all images.
    """

    def __init__(self, matching: Matching) -> None:
        self._matching = matching
        self.class_names = matching.class_names

    @cached_property
    def together(self) -> Curve:
        """The curves of all classes together, with equal weight for every object."""
        return curve_of(self._matching.together())

    def of_class(self, name: str) -> Curve:
        """Return the curves of one class.

        Raises:
            ValueError: there is no class of this name.
        """
        return curve_of(self._matching.of_class(self.class_names.index(name)))

    def to_df(self, name: str | None = None) -> Any:
        """Return a pandas frame with a row for each score threshold.

        Args:
            name: of a class. None takes all classes together.

        Returns:
            The columns ``threshold``, ``precision``, ``recall`` and ``F1``.

        Raises:
            MissingDependency: pandas is not installed.
            ValueError: there is no class of this name.
        """
        return frame(_columns(self.together if name is None else self.of_class(name)))

    def numbers(self) -> dict[str, list[float]]:
        """Return the curves of all classes together with at most 101 samples, for JSON."""
        curve = curve_of(self._matching.together(), _JSON_SAMPLES)
        over_recall = {"recall_levels": curve.recalls, "precision_at_recall": curve.precisions}
        return {name: column.tolist() for name, column in {**_columns(curve), **over_recall}.items()}


def _columns(curve: Curve) -> dict[str, np.ndarray]:
    rates = {"precision": curve.precision, "recall": curve.recall, "F1": curve.f1}
    return {"threshold": curve.thresholds, **rates}
