"""Sensitivity: which layers a network needs in float, as measured, and how few of them are enough."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Callable

import numpy as np

from gluon_yolo.boxes import iou_matrix
from gluon_yolo.inference.predictor import FARTHEST
from gluon_yolo.inference.runtimes.registry import Network

LOOKED_AT = 50  # anchors an image: those that either network is surest of


def disagreement(
    expected: Sequence[np.ndarray], given: Sequence[np.ndarray], looked_at: int = LOOKED_AT
) -> float:
    """Return how far boxes and scores are from others, where either of the two sees most.

    Args:
        expected: boxes (B, N, 4) and scores (B, N, C).
        given: likewise, of another network.
        looked_at: anchors of each image that count: the best of the one and the best of the other.

    Returns:
        The mean over images of 1 - IoU plus the largest difference of a score, averaged over these anchors;
        infinite where what is given are no numbers.
    """
    (boxes, scores), (others, their_scores) = expected, given
    if np.isnan(others).any() or not np.isfinite(their_scores).all():
        return float("inf")
    totals = []
    for image in range(len(boxes)):
        rows = np.union1d(_surest(scores[image], looked_at), _surest(their_scores[image], looked_at))
        # An untrained network's exponentials may overflow: what lies beyond all images is one place.
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
    """Measure what each layer does when it is quantized alone.

    Args:
        layers: their names.
        alone: returns the network with one layer quantized.
        reference: the network in float.
        images: (B, h, w, 3) uint8 RGB; they go through one at a time.
        step: called after each layer.

    Returns:
        The disagreement by layer, the worst first.
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
    """What a search came to.

    Args:
        excluded: the layers that stay in float.
        lost: with them.
        holds: whether that is little enough.
        tried: what was lost by how many layers stayed in float, in the order of trying.
    """

    excluded: tuple[str, ...]
    lost: float
    holds: bool
    tried: dict[int, float]


def search(
    worst_first: Iterable[str], lost_with: Callable[[tuple[str, ...]], float], allowed: float
) -> Found:
    """Leave the worst layers in float, 1, 2, 4, ... of them, until little is lost; then as few as that takes.

    The last number is of all layers but one, where no smaller one is enough. All layers in float are no
    quantization and are not tried.

    Args:
        worst_first: the layers in that order.
        lost_with: what is lost with these layers in float.
        allowed: what may be.

    Returns:
        The fewest that were found to be enough; where none are, those that lose least.
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
    """Return the anchors (K,) with the best scores of (N, C)."""
    best = scores.max(axis=1)
    return np.argsort(-best)[:count]
