"""NumPy box arithmetic: convert, overlap, clip, suppress.

Boxes are (N, 4) corners ``x1, y1, x2, y2`` unless a name says otherwise; widths are ``x2 - x1`` without the
"+1" of integer pixels.
"""

from __future__ import annotations

import numpy as np

from gluon_yolo.structures import Detections

_BLOCK = 128  # boxes that suppression compares with one another at once
_WORSE = np.triu(np.ones((_BLOCK, _BLOCK), dtype=bool), 1)


def area(boxes: np.ndarray) -> np.ndarray:
    """Return the areas (N,) of boxes (N, 4), in squared units of the boxes."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def iou_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the intersection over union (N, M) of boxes (N, 4) and (M, 4); 0 where both are empty."""
    left, top, right, bottom = np.ascontiguousarray(b.T)  # in rows and in place, for suppression is in haste
    width = np.minimum(a[:, 2:3], right)
    width -= np.maximum(a[:, 0:1], left)
    height = np.minimum(a[:, 3:4], bottom)
    height -= np.maximum(a[:, 1:2], top)
    intersection = np.maximum(width, 0, out=width)
    intersection *= np.maximum(height, 0, out=height)
    union = area(a)[:, None] + area(b)
    union -= intersection
    return intersection / np.maximum(union, np.finfo(np.float32).tiny)


def clip(boxes: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Return boxes (N, 4) in pixels with every corner moved inside a picture of ``size_hw``."""
    height, width = size_hw
    return np.clip(boxes, 0, np.array([width, height, width, height], dtype=boxes.dtype))


def xyxy_to_cxcywh(boxes: np.ndarray) -> np.ndarray:
    """Turn corners (N, 4) into centre x, centre y, width, height (N, 4), same unit."""
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)


def cxcywh_to_xyxy(boxes: np.ndarray) -> np.ndarray:
    """Turn centre x, centre y, width, height (N, 4) into corners (N, 4), same unit."""
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


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


def select(
    boxes: np.ndarray,
    scores: np.ndarray,
    score_threshold: float = 0.01,
    nms_threshold: float = 0.45,
    max_candidates: int = 400,
    max_detections: int = 100,
    farthest: float = np.inf,
) -> Detections:
    """Turn every anchor's box and class scores into the final detections of one picture.

    The best ``max_candidates`` (anchor, class) pairs are taken first: suppression never sees all N * C.

    Args:
        boxes: (N, 4) decoded corners, any unit.
        scores: (N, C) score of each class.
        score_threshold: pairs at or below it are left out.
        nms_threshold: overlap above which a worse box of the same class falls; outside 0..1 nothing falls.
        max_candidates: pairs that enter suppression.
        max_detections: detections returned at most, best first.
        farthest: boxes with a corner as far as this from the origin, or nowhere at all (NaN), are left out.

    Returns:
        Detections in the unit of ``boxes``, best score first.
    """
    # Flat: NumPy finds the places in a row of numbers ten times sooner than those in a table.
    anchors, class_ids = np.divmod(np.flatnonzero(scores > score_threshold), max(1, scores.shape[1]))
    near = (np.abs(boxes[anchors]) < farthest).all(axis=1)
    anchors, class_ids = anchors[near], class_ids[near]
    candidates = scores[anchors, class_ids]
    if len(candidates) > max_candidates:
        best = np.argpartition(-candidates, max_candidates - 1)[:max_candidates]
        best.sort()
        anchors, class_ids, candidates = anchors[best], class_ids[best], candidates[best]
    chosen = boxes[anchors]
    if 0 < nms_threshold < 1:
        keep = nms(chosen, candidates, class_ids, nms_threshold, max_detections)
    else:
        keep = np.argsort(-candidates, kind="stable")[:max_detections]
    return Detections(chosen[keep], class_ids[keep], candidates[keep])
