"""Sensitivity of a network to the quantization of each layer, and the fewest layers to keep in float."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Callable

import numpy as np

from gluon_yolo.boxes import iou_matrix
from gluon_yolo.inference.predictor import FARTHEST
from gluon_yolo.inference.runtimes.registry import Network

LOOKED_AT = 50  # anchors per image: those with the best scores in either network


def disagreement(
    expected: Sequence[np.ndarray], given: Sequence[np.ndarray], looked_at: int = LOOKED_AT
) -> float:
    """Return the difference of two networks' boxes and scores, at the anchors with the best scores.

    Args:
        expected: boxes (B, N, 4) and scores (B, N, C).
        given: boxes (B, N, 4) and scores (B, N, C) of the other network.
        looked_at: number of anchors per image: the best ones of each of the two networks.

    Returns:
        The mean, over images and these anchors, of 1 - IoU plus the largest difference of a score; infinite
        where ``given`` is not finite.
    """
    (boxes, scores), (others, their_scores) = expected, given
    if np.isnan(others).any() or not np.isfinite(their_scores).all():
        return float("inf")
    totals = []
    for image in range(len(boxes)):
        rows = np.union1d(_surest(scores[image], looked_at), _surest(their_scores[image], looked_at))
        # The exponentials of an untrained network can overflow: all positions beyond FARTHEST are equal.
        ours, theirs = (np.clip(array[image][rows], -FARTHEST, FARTHEST) for array in (boxes, others))
        overlap = np.diag(iou_matrix(ours, theirs))
        apart = np.abs(scores[image][rows] - their_scores[image][rows]).max(axis=1)
        totals.append(np.mean(1 - overlap + apart))
    return float(np.mean(totals))


def rank(
    layers: Sequence[str],
    alone: Callable[[str], Network],
    reference: Network,
    images: np.ndarray,
    step: Callable[[], object] = lambda: None,
) -> dict[str, float]:
    """Measure the error of each layer when it alone is quantized.

    Args:
        layers: their names.
        alone: function that returns the network with one layer quantized.
        reference: the float network.
        images: (B, h, w, 3) uint8 RGB; they run one by one.
        step: function that is called after each layer.

    Returns:
        The :func:`disagreement` by layer, the largest first.
    """
    expected = [tuple(reference(image[None])) for image in images]
    errors = {}
    for layer in layers:
        network = alone(layer)
        given = (network(image[None]) for image in images)
        errors[layer] = float(np.mean([disagreement(ours, theirs) for ours, theirs in zip(expected, given)]))
        step()
    return dict(sorted(errors.items(), key=lambda item: -item[1]))


@dataclasses.dataclass(frozen=True)
class Found:
    """The result of a search.

    Args:
        excluded: layers that stay in float.
        lost: accuracy loss with them in float.
        holds: whether the loss is small enough.
        tried: loss by the number of layers in float, in the order of trials.
    """

    excluded: tuple[str, ...]
    lost: float
    holds: bool
    tried: dict[int, float]


def search(
    worst_first: Iterable[str], lost_with: Callable[[tuple[str, ...]], float], allowed: float
) -> Found:
    """Find the fewest layers to keep in float: 1, 2, 4, ... of the worst, then by bisection.

    If no smaller number is enough, the last trial is all layers but one. All layers in float are no
    quantization, and are not tried.

    Args:
        worst_first: layers by descending error.
        lost_with: function that returns the loss with these layers in float.
        allowed: largest loss.

    Returns:
        The fewest layers that are enough; where none are, those with the smallest loss.
    """
    order = tuple(worst_first)
    tried: dict[int, float] = {}

    def enough(count: int) -> bool:
        tried[count] = lost_with(order[:count])
        return tried[count] <= allowed

    most = len(order) - 1
    few, many = 0, min(1, most)
    while few < most and not enough(many):
        few, many = many, min(2 * many, most)
    if few >= most:
        if not tried:
            return Found((), float("nan"), False, tried)
        best = min(tried, key=lambda count: tried[count])
        return Found(order[:best], tried[best], False, tried)
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if enough(middle) else (middle, many)
    return Found(order[:many], tried[many], True, tried)


def _surest(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the anchors (K,) with the best scores in (N, C)."""
    best = scores.max(axis=1)
    return np.argsort(-best)[:count]
