"""Non-maximum suppression (NMS): every anchor's box and scores -> the detections of one image, in NumPy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gluon_yolo.boxes import iou_matrix
from gluon_yolo.detections import Detections

NMS_THRESHOLD = 0.45  # overlap above which a worse box falls, where nobody says otherwise
USUAL_DETECTIONS = 100  # an image's at most, where nobody says otherwise
SHOWN_SCORE = 0.3  # detections from here on are shown, where nobody says otherwise
LEAST_SCORE = 0.01  # those below say nothing to the metrics; those between serve the curves
_USUAL_CANDIDATES = 400
_CANDIDATES_EACH = 8
_BLOCK = 128  # boxes that suppression compares with one another at once
_WORSE = np.triu(np.ones((_BLOCK, _BLOCK), dtype=bool), 1)


def nms(
    boxes: np.ndarray,
    scores: np.ndarray,
    class_ids: np.ndarray,
    iou_threshold: float,
    most: int | None = None,
) -> np.ndarray:
    """Return the indices that greedy non-maximum suppression keeps within each class, best score first.

    A box falls when its overlap with a better kept box of its class exceeds ``iou_threshold``; equal scores
    keep their order.

    Args:
        boxes: (N, 4) corners, any unit.
        scores: (N,).
        class_ids: (N,).
        iou_threshold: 0..1.
        most: indices returned at most; None returns all.
    """
    order = np.argsort(-scores, kind="stable")
    kept = order[:0]
    for start in range(0, len(order), _BLOCK):
        # Better blocks first, so that only those that stand are compared with what comes after them.
        block = order[start : start + _BLOCK]
        block = block[~_rivals(boxes, class_ids, kept, block, iou_threshold).any(axis=0)]
        beats = _rivals(boxes, class_ids, block, block, iou_threshold)
        beats &= _WORSE[: len(block), : len(block)]
        alive = np.ones(len(block), dtype=bool)
        for i in np.flatnonzero(beats.any(axis=1)):
            if alive[i]:
                alive &= ~beats[i]
        kept = np.concatenate([kept, block[alive]])
        if most is not None and len(kept) >= most:
            return kept[:most]
    return kept


def _rivals(
    boxes: np.ndarray, class_ids: np.ndarray, a: np.ndarray, b: np.ndarray, iou_threshold: float
) -> np.ndarray:
    """Say which boxes of the indices ``a`` (N,) and ``b`` (M,) are of one class and overlap: (N, M) bool."""
    overlaps = iou_matrix(boxes[a], boxes[b]) > iou_threshold
    return overlaps & (class_ids[a][:, None] == class_ids[b][None, :])


def candidates_for(max_detections: int) -> int:
    """Return how many pairs of anchor and class enter suppression, so that so many detections can come out.

    They are 400 up to 100 detections, and eight for each beyond: in images of crowds the best 2 to 8 pairs
    were needed for one detection, by network and image (``benchmarks/candidates.py``).
    """
    return _USUAL_CANDIDATES if max_detections <= USUAL_DETECTIONS else _CANDIDATES_EACH * max_detections


class Selection(NamedTuple):
    """The detections of one image, and what a limit kept from being among them.

    Args:
        found: best score first.
        left_out: the best score among what ``max_detections`` or ``max_candidates`` left out; 0 for nothing.
    """

    found: Detections
    left_out: float


def select(boxes: np.ndarray, scores: np.ndarray, *limits: Any, **named: Any) -> Detections:
    """Return what :func:`choose` finds, which takes the same arguments."""
    return choose(boxes, scores, *limits, **named).found


def choose(
    boxes: np.ndarray,
    scores: np.ndarray,
    score_threshold: float = LEAST_SCORE,
    nms_threshold: float = NMS_THRESHOLD,
    max_candidates: int | None = None,
    max_detections: int = USUAL_DETECTIONS,
    farthest: float = np.inf,
    agnostic: bool = False,
    wanted: np.ndarray | None = None,
) -> Selection:
    """Turn every anchor's box and class scores into the final detections of one image.

    The best ``max_candidates`` (anchor, class) pairs are taken first: suppression never sees all N * C.

    Args:
        boxes: (N, 4) decoded corners, any unit.
        scores: (N, C) score of each class.
        score_threshold: pairs at or below it are left out.
        nms_threshold: overlap above which a worse box falls; outside 0..1 nothing falls.
        max_candidates: pairs that enter suppression; None takes :func:`candidates_for` the detections.
        max_detections: detections returned at most, best first.
        farthest: boxes with a corner as far as this from the origin, or nowhere at all (NaN), are left out.
        agnostic: whether a box falls to better ones of any class, and not of its own alone.
        wanted: (W,) the class ids that take part; None takes all.

    Returns:
        Detections in the unit of ``boxes``, and what was left out.
    """
    if wanted is not None:
        scores = scores[:, wanted]
    # Flat: NumPy finds the places in a row of numbers ten times sooner than those in a table.
    anchors, class_ids = np.divmod(np.flatnonzero(scores > score_threshold), max(1, scores.shape[1]))
    near = (np.abs(boxes[anchors]) < farthest).all(axis=1)
    anchors, class_ids = anchors[near], class_ids[near]
    candidates, left_out = scores[anchors, class_ids], 0.0
    most = candidates_for(max_detections) if max_candidates is None else max_candidates
    if len(candidates) > most:
        order = np.argpartition(-candidates, most - 1)
        left_out = float(candidates[order[most:]].max())
        best = np.sort(order[:most])
        anchors, class_ids, candidates = anchors[best], class_ids[best], candidates[best]
    chosen = boxes[anchors]
    if 0 < nms_threshold < 1:
        groups = np.zeros_like(class_ids) if agnostic else class_ids
        keep = nms(chosen, candidates, groups, nms_threshold, max_detections + 1)
    else:
        keep = np.argsort(-candidates, kind="stable")
    if len(keep) > max_detections:
        left_out = float(candidates[keep[max_detections]])
        keep = keep[:max_detections]
    class_ids = class_ids[keep] if wanted is None else wanted[class_ids[keep]]
    return Selection(Detections(chosen[keep], class_ids, candidates[keep]), left_out)
