"""Non-maximum suppression (NMS) in NumPy: boxes and scores of all anchors -> detections of one image."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gluon_yolo.boxes import iou_matrix
from gluon_yolo.detections import Detections

NMS_THRESHOLD = 0.45  # default IoU above which the box with the lower score is removed
USUAL_DETECTIONS = 100  # default limit of detections per image
SHOWN_SCORE = 0.3  # default score from which detections are shown
LEAST_SCORE = 0.01  # default score for metrics: lower scores do not change them
_USUAL_CANDIDATES = 400
_CANDIDATES_EACH = 8
_BLOCK = 128  # boxes that are compared with one another in one step
_WORSE = np.triu(np.ones((_BLOCK, _BLOCK), dtype=bool), 1)


def nms(
    boxes: np.ndarray,
    scores: np.ndarray,
    class_ids: np.ndarray,
    iou_threshold: float,
    most: int | None = None,
) -> np.ndarray:
    """Return the indices that greedy NMS keeps within each class, best score first.

    A box is removed when its IoU with a kept box of its class and a better score exceeds ``iou_threshold``.
    Equal scores keep their order.

    Args:
        boxes: (N, 4) corners, any unit.
        scores: (N,).
        class_ids: (N,).
        iou_threshold: 0..1.
        most: maximum number of indices; None returns all.

    Returns:
        (K,) indices into the N boxes.
    """
    order = np.argsort(-scores, kind="stable")
    kept = order[:0]
    for start in range(0, len(order), _BLOCK):
        # Block by block in order of score: later blocks are compared with kept boxes only.
        block = order[start : start + _BLOCK]
        block = block[~_overlapping(boxes, class_ids, kept, block, iou_threshold).any(axis=0)]
        beats = _overlapping(boxes, class_ids, block, block, iou_threshold)
        beats &= _WORSE[: len(block), : len(block)]
        alive = np.ones(len(block), dtype=bool)
        for i in np.flatnonzero(beats.any(axis=1)):
            if alive[i]:
                alive &= ~beats[i]
        kept = np.concatenate([kept, block[alive]])
        if most is not None and len(kept) >= most:
            return kept[:most]
    return kept


def _overlapping(
    boxes: np.ndarray, class_ids: np.ndarray, a: np.ndarray, b: np.ndarray, iou_threshold: float
) -> np.ndarray:
    """Return which boxes of the indices ``a`` (N,) and ``b`` (M,) overlap and share a class: (N, M) bool."""
    overlaps = iou_matrix(boxes[a], boxes[b]) > iou_threshold
    return overlaps & (class_ids[a][:, None] == class_ids[b][None, :])


def candidates_for(max_detections: int) -> int:
    """Return how many (anchor, class) pairs enter NMS for a limit of detections.

    400 up to 100 detections, and eight per detection above that: in images of crowds, one detection needed
    the best 2 to 8 pairs, depending on network and image (``benchmarks/candidates.py``).
    """
    return _USUAL_CANDIDATES if max_detections <= USUAL_DETECTIONS else _CANDIDATES_EACH * max_detections


class Selection(NamedTuple):
    """The detections of one image, and the best score that a limit removed.

    Args:
        found: detections, best score first.
        left_out: the best score among the pairs that ``max_detections`` or ``max_candidates`` removed; 0 when
            they removed none.
    """

    found: Detections
    left_out: float


def select(boxes: np.ndarray, scores: np.ndarray, *limits: Any, **named: Any) -> Detections:
    """Return the detections of :func:`choose`, which documents the arguments."""
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
    """Turn the boxes and class scores of all anchors into the detections of one image.

    Only the best ``max_candidates`` (anchor, class) pairs enter NMS, never all N * C.

    Args:
        boxes: (N, 4) decoded corners, any unit.
        scores: (N, C) score of each class.
        score_threshold: pairs with this score or less are dropped.
        nms_threshold: IoU above which the box with the lower score is removed; outside (0, 1) NMS is off.
        max_candidates: pairs that enter NMS; None takes :func:`candidates_for` ``max_detections``.
        max_detections: maximum number of detections, best first.
        farthest: boxes with a coordinate of this magnitude or more, or NaN, are dropped.
        agnostic: whether NMS compares boxes of all classes, not only of one class.
        wanted: (W,) class ids to detect; None detects all.

    Returns:
        Detections in the unit of ``boxes``, and the best score that a limit removed.
    """
    if wanted is not None:
        scores = scores[:, wanted]
    # On the flat array: np.flatnonzero is ten times faster than np.nonzero on two axes.
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
