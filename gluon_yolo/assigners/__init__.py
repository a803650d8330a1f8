"""Assigners: ground truth to anchors, as sparse targets, in NumPy in the data loader."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gluon_yolo.assigners.match import match_best_shape, match_size_ratio
from gluon_yolo.assigners.targets import (
    BOX,
    BOX_WEIGHT,
    CLASS,
    COLUMNS,
    DELTAS,
    INDEX,
    WEIGHT,
    Matches,
    make_rows,
)
from gluon_yolo.boxes import xyxy_to_cxcywh
from gluon_yolo.detections import Detections
from gluon_yolo.spec import DetectionSpec

__all__ = [
    "ASSIGNERS",
    "BOX",
    "BOX_WEIGHT",
    "CLASS",
    "COLUMNS",
    "DELTAS",
    "INDEX",
    "WEIGHT",
    "assign",
]

# By the name in ``spec.assigner``: from boxes (M, 4) as centre and size, spec and input size to matches.
ASSIGNERS: dict[str, Callable[[np.ndarray, DetectionSpec, tuple[int, int]], Matches]] = {
    "best_shape": match_best_shape,
    "size_ratio": match_size_ratio,
}


def assign(
    truth: Detections, weights: np.ndarray | None, spec: DetectionSpec, size_hw: tuple[int, int]
) -> np.ndarray:
    """Assign ground-truth boxes to anchors, by the spec's assigner.

    Where two boxes match the same anchor, the later one has it. The earlier one keeps its row with weight 0,
    so that predictions there are not trained as negatives (Redmon & Farhadi 2018, section 2.1).

    Args:
        truth: K boxes in input pixels.
        weights: (K,) each object's share of a mixed image; None is 1.
        spec: anchors, strides, box coding and assigner.
        size_hw: height and width of the network's input in pixels.

    Returns:
        (M, 12) float32, one row per match, at least one for each box, in the boxes' order: flat anchor index,
        encoded box (4), class id, weight, box weight ``2 - area / image area`` (small boxes count more),
        corners in input pixels (4).

    Raises:
        ValueError: a class id is out of range, or no assigner has the name.
    """
    if spec.assigner not in ASSIGNERS:
        raise ValueError(f"assigner: expected one of {', '.join(ASSIGNERS)}, got {spec.assigner!r}")
    if not len(truth):
        return np.zeros((0, COLUMNS), dtype=np.float32)
    if truth.class_ids.min() < 0 or truth.class_ids.max() >= spec.num_classes:
        raise ValueError(f"class_ids: expected 0 to {spec.num_classes - 1}, got {truth.class_ids.tolist()}")
    cxcywh = xyxy_to_cxcywh(truth.boxes)
    matches = ASSIGNERS[spec.assigner](cxcywh, spec, size_hw)
    return make_rows(truth, cxcywh, weights, matches, spec, size_hw)
