"""The kinds of errors of a detector, and the average precision that each of them costs.

Bolya et al. 2020, "TIDE: A General Toolbox for Identifying Object Detection Errors", section 2.2. Every false
positive and every missed object is of one of six kinds. The cost of a kind is the gain of AP50 when it alone
is fixed:

- A detection of the wrong class or place becomes right if it is the best one for an object that is not found.
  Else it is removed, as all detections of the other kinds are.
- A missed object, which no detection is near, is removed.

Crowds and objects marked difficult are ignored regions, as in COCO's metrics: a detection of the same class
whose area lies in one by half is left out.

The values equal those of the package ``tidecv`` 1.0.1, except that the mean is over classes with objects and
the recalls are those of COCO's AP50, and that a detection which is left out is no error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gluon_yolo.boxes import iou_matrix
from gluon_yolo.detections import Detections
from gluon_yolo.evaluation.confusion import Crowds, lie_in
from gluon_yolo.evaluation.matching import checked_class_ids, marks_of

KINDS = ("class", "location", "both", "duplicate", "background", "missed")
SUMS = ("false_positives", "false_negatives")
FOREGROUND, BACKGROUND = 0.5, 0.1  # IoU from which on a detection matches, and up to which it is background

_RIGHT = len(KINDS)
_MISSED = KINDS.index("missed")
_RECALLS = np.linspace(0, 1, 101)


@dataclasses.dataclass(frozen=True)
class Cost:
    """How often a kind of error occurs, and the AP50 (0..1) that it costs; NaN where there is no object."""

    count: int
    AP50_lost: float


class ErrorKinds(NamedTuple):
    """The errors of an evaluation by kind.

    Args:
        AP50: the average precision at an IoU of 0.5, the mean over the classes with objects.
        together: the cost of each of ``KINDS`` and ``SUMS``, over all classes.
        per_class: the same for each class; an error of the detections counts for the class that they name.
    """

    AP50: float
    together: dict[str, Cost]
    per_class: dict[str, dict[str, Cost]]

    def numbers(self) -> dict[str, Any]:
        """Return plain values, for JSON; of the classes, those that have an error."""
        classes = {
            name: _plain(costs)
            for name, costs in self.per_class.items()
            if any(costs[kind].count for kind in SUMS)
        }
        return {"AP50": self.AP50, **_plain(self.together), "per_class": classes}


class _Verdicts(NamedTuple):
    """The detections of one image, or of all, by descending score.

    Args:
        scores: (P,).
        class_ids: (P,).
        kinds: (P,) index into ``KINDS``, or ``_RIGHT``.
        becomes: (P,) the class as which the detection is right when its error is fixed; -1: it is removed.
    """

    scores: np.ndarray
    class_ids: np.ndarray
    kinds: np.ndarray
    becomes: np.ndarray


class ErrorKindsMetric:
    """Collect predictions and ground truth by image, and find the kinds of errors and their costs.

    Args:
        class_names: one name per class id.
        crowds: returns the crowds of an image by its index. None: there are none.
    """

    def __init__(self, class_names: Sequence[str], crowds: Crowds | None = None) -> None:
        self.class_names = tuple(class_names)
        self._crowds = crowds
        self.reset()

    def reset(self) -> None:
        """Remove all images."""
        self._images: list[_Verdicts] = []
        self._objects, self._unfound, self._missed = np.zeros((3, len(self.class_names)), dtype=np.int64)

    def update(self, index: int, predicted: Detections, truth: Detections) -> None:
        """Add image ``index`` of the data set.

        Raises:
            ValueError: the predictions have no scores, or a class id has no name.
        """
        checked_class_ids(predicted, truth, len(self.class_names))
        assert predicted.scores is not None
        difficult = marks_of(truth)
        objects, regions = truth[~difficult], truth[difficult].replace(difficult=None, scores=None)
        if self._crowds is not None:
            regions = Detections.concatenate([regions, self._crowds(index)])
        found = predicted[np.argsort(-predicted.scores, kind="stable")]
        ignored = lie_in(found, regions, FOREGROUND)
        verdicts, is_found, is_near = _judge(objects, found, ignored)
        kept = (verdicts.kinds == _RIGHT) | ~ignored
        self._images.append(_Verdicts(*(column[kept] for column in verdicts)))
        np.add.at(self._objects, objects.class_ids, 1)
        np.add.at(self._unfound, objects.class_ids[~is_found], 1)
        np.add.at(self._missed, objects.class_ids[~is_found & ~is_near], 1)

    def error_kinds(self) -> ErrorKinds:
        """Return the kinds of errors of all images and their costs."""
        all_of = self._all()
        right = all_of.kinds == _RIGHT
        before = self._aps(all_of.class_ids, right, self._objects)
        after = {kind: self._fixed(all_of, number) for number, kind in enumerate(KINDS)}
        ranked = np.argsort(~right, kind="stable")  # every wrong detection behind every right one
        after[SUMS[0]] = self._aps(all_of.class_ids[ranked], right[ranked], self._objects)
        after[SUMS[1]] = self._aps(all_of.class_ids, right, self._objects - self._unfound)
        counts = self._counts(all_of)
        known = self._objects > 0
        base = _mean(before[known])
        before = np.where(known, before, np.nan)
        together = {
            kind: Cost(int(counts[kind].sum()), _gain(base, _mean(aps[known], none_left=known.any())))
            for kind, aps in after.items()
        }
        per_class = {
            name: {
                kind: Cost(int(counts[kind][i]), _gain(before[i], _left(aps[i])))
                for kind, aps in after.items()
            }
            for i, name in enumerate(self.class_names)
        }
        return ErrorKinds(base, together, per_class)

    def compute(self) -> dict[str, Any]:
        """Return the costs as ``errors``, as in :meth:`ErrorKinds.numbers`."""
        return {"errors": self.error_kinds().numbers(), "per_class": {}}

    def _all(self) -> _Verdicts:
        """Return the detections of all images; equal scores are in the order of the images."""
        nothing = _Verdicts(np.zeros(0, np.float32), *np.zeros((3, 0), np.int64))
        columns = _Verdicts(*map(np.concatenate, zip(nothing, *self._images)))
        order = np.argsort(-columns.scores, kind="stable")
        return _Verdicts(*(column[order] for column in columns))

    def _counts(self, all_of: _Verdicts) -> dict[str, np.ndarray]:
        """Return the number of errors (C,) of each kind."""
        size = len(self.class_names)
        counts = {
            kind: np.bincount(all_of.class_ids[all_of.kinds == number], minlength=size)
            for number, kind in enumerate(KINDS)
        }
        wrong = np.bincount(all_of.class_ids[all_of.kinds != _RIGHT], minlength=size)
        return {**counts, "missed": self._missed, SUMS[0]: wrong, SUMS[1]: self._unfound}

    def _fixed(self, all_of: _Verdicts, kind: int) -> np.ndarray:
        """Return the AP (C,) of each class when the errors of one kind are fixed."""
        if kind == _MISSED:
            return self._aps(all_of.class_ids, all_of.kinds == _RIGHT, self._objects - self._missed)
        mine = all_of.kinds == kind
        right = (all_of.kinds == _RIGHT) | mine
        class_ids = np.where(mine, all_of.becomes, all_of.class_ids)
        kept = class_ids >= 0
        return self._aps(class_ids[kept], right[kept], self._objects)

    def _aps(self, class_ids: np.ndarray, right: np.ndarray, objects: np.ndarray) -> np.ndarray:
        """Return the AP (C,) of each class; NaN for one without objects and detections.

        Args:
            class_ids: (P,) of the detections, the best first.
            right: (P,) which of them match an object.
            objects: (C,) number of objects.
        """
        order = np.argsort(class_ids, kind="stable")
        ends = np.searchsorted(class_ids[order], np.arange(len(objects) + 1))
        right = right[order]
        parts = (right[start:end] for start, end in zip(ends, ends[1:]))
        return np.array([_ap(part, int(count)) for part, count in zip(parts, objects)])


def _judge(
    objects: Detections, found: Detections, ignored: np.ndarray
) -> tuple[_Verdicts, np.ndarray, np.ndarray]:
    """Find the kind of each detection of an image.

    Args:
        objects: G objects that count.
        found: P detections, the best first.
        ignored: (P,) which of them are no errors where they match no object; they get no kind.

    Returns:
        The verdicts; (G,) which objects are found; (G,) which objects a detection of the wrong class or place
        is near to, so that fixing it finds them.
    """
    assert found.scores is not None
    kinds = np.full(len(found), KINDS.index("background"))
    becomes = np.full(len(found), -1)
    is_found, is_near = np.zeros((2, len(objects)), dtype=bool)
    verdicts = _Verdicts(found.scores, found.class_ids, kinds, becomes)
    if not len(objects) or not len(found):
        return verdicts, is_found, is_near
    ious = iou_matrix(found.boxes.astype(np.float64), objects.boxes.astype(np.float64))
    same = found.class_ids[:, None] == objects.class_ids[None]
    own, others = ious * same, ious * ~same
    open_ious = own.copy()
    for i in np.flatnonzero(own.max(axis=1) >= FOREGROUND):
        nearest = open_ious[i].argmax()
        if open_ious[i, nearest] >= FOREGROUND:
            kinds[i], is_found[nearest] = _RIGHT, True
            open_ious[:, nearest] = 0
    wrong = (kinds != _RIGHT) & ~ignored
    best_own = own.max(axis=1)
    tests = {  # the first that applies
        "location": (best_own >= BACKGROUND) & (best_own <= FOREGROUND),
        "class": others.max(axis=1) >= FOREGROUND,
        "duplicate": (own * is_found).max(axis=1) >= FOREGROUND,
        "background": ious.max(axis=1) <= BACKGROUND,
        "both": np.ones(len(found), dtype=bool),
    }
    kinds[wrong] = np.select([test[wrong] for test in tests.values()], [KINDS.index(kind) for kind in tests])
    at = np.where(kinds == KINDS.index("location"), own.argmax(axis=1), others.argmax(axis=1))
    claims = np.flatnonzero(np.isin(kinds, (KINDS.index("location"), KINDS.index("class"))) & ~is_found[at])
    claimed, first = np.unique(at[claims], return_index=True)  # the first is the one with the best score
    becomes[claims[first]] = objects.class_ids[claimed]
    is_near[claimed] = True
    return verdicts, is_found, is_near


def _ap(right: np.ndarray, objects: int) -> float:
    """Return COCO's average precision: the mean of the precision at 101 recalls.

    Args:
        right: (P,) which detections match an object, the best first.
        objects: number of objects.
    """
    if not objects or not len(right):
        return 0.0 if objects or len(right) else float("nan")
    found = np.cumsum(right)
    precision = np.maximum.accumulate((found / np.arange(1, len(right) + 1))[::-1])[::-1]
    at = np.searchsorted(found / objects, _RECALLS)
    return float(precision[at[at < len(right)]].sum() / len(_RECALLS))


def _mean(aps: np.ndarray, none_left: bool = False) -> float:
    """Return the mean of the APs that exist; where there is none, 1 if no object is left, else NaN."""
    known = aps[~np.isnan(aps)]
    return float(known.mean()) if len(known) else (1.0 if none_left else float("nan"))


def _left(ap: float) -> float:
    """Return the AP of a class after a fix: 1 if no object and no detection is left."""
    return 1.0 if np.isnan(ap) else float(ap)


def _gain(before: float, after: float) -> float:
    return float(max(after - before, 0.0)) if not np.isnan(before) else float("nan")


def _plain(costs: dict[str, Cost]) -> dict[str, dict[str, float]]:
    return {kind: dataclasses.asdict(cost) for kind, cost in costs.items()}
