"""Assigners: ground truth to anchors, as sparse targets, in NumPy in the data loader."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from gluon_yolo.assigners import neighbours
from gluon_yolo.assigners.dynamic import match_candidates, most_candidates
from gluon_yolo.assigners.match import match_best_shape, match_size_ratio
from gluon_yolo.assigners.neighbours import match_neighbours
from gluon_yolo.assigners.overlap import match_overlap
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
    pad_objects,
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
    "Assigner",
    "assign",
    "assign_objects",
    "assigner_of",
    "rows_per_object",
]


@dataclasses.dataclass(frozen=True)
class Assigner:
    """One way to match objects and anchors.

    Args:
        match: from boxes (M, 4) as centre and size, spec and input size to matches.
        most_matches: from the spec to P, the largest number of matches of an object. Every object has P rows
            then, so that a loss can tell the objects; None leaves the rows as they are.
        xy_scale: the least range of a centre in cells that the matches need.
        is_dynamic: whether the matches are candidates, of which the loss chooses.
    """

    match: Callable[[np.ndarray, DetectionSpec, tuple[int, int]], Matches]
    most_matches: Callable[[DetectionSpec], int] | None = None
    xy_scale: float = 1.0
    is_dynamic: bool = False


# By the name in ``spec.assigner``.
ASSIGNERS: dict[str, Assigner] = {
    "best_shape": Assigner(match_best_shape),
    "neighbours": Assigner(match_neighbours, lambda spec: neighbours.CELLS, neighbours.XY_SCALE),
    "dynamic": Assigner(match_candidates, most_candidates, neighbours.XY_SCALE, is_dynamic=True),
    "overlap": Assigner(match_overlap, lambda spec: sum(spec.anchors_per_level)),
    "size_ratio": Assigner(match_size_ratio),
}


def rows_per_object(spec: DetectionSpec) -> int:
    """Return P: the rows of each object are P in a row, where the spec's assigner has a number; else 1.

    Raises:
        ValueError: no assigner has the spec's name.
    """
    most_matches = assigner_of(spec).most_matches
    return 1 if most_matches is None else most_matches(spec)


def assigner_of(spec: DetectionSpec) -> Assigner:
    """Return the assigner that a spec names.

    Raises:
        ValueError: no assigner has that name.
    """
    if spec.assigner not in ASSIGNERS:
        raise ValueError(f"assigner: expected one of {', '.join(ASSIGNERS)}, got {spec.assigner!r}")
    return ASSIGNERS[spec.assigner]


def assign(
    truth: Detections, weights: np.ndarray | None, spec: DetectionSpec, size_hw: tuple[int, int]
) -> np.ndarray:
    """Assign ground-truth boxes to anchors, as :func:`assign_objects`, and return the target rows alone."""
    return assign_objects(truth, weights, spec, size_hw)[0]


def assign_objects(
    truth: Detections, weights: np.ndarray | None, spec: DetectionSpec, size_hw: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Assign ground-truth boxes to anchors, by the spec's assigner.

    Where two boxes match the same anchor, the match of the lower rank has it, else the later one. The other
    keeps its row with weight 0, so that predictions there are not trained as negatives (Redmon & Farhadi
    2018, section 2.1). Candidates of a dynamic assigner all have the object's weight.

    Args:
        truth: K boxes in input pixels.
        weights: (K,) each object's share of a mixed image; None is 1.
        spec: anchors, strides, box coding and assigner.
        size_hw: height and width of the network's input in pixels.

    Returns:
        (M, 12) float32, one row per match, at least one for each box, in the boxes' order, and rows of weight
        0 up to :func:`rows_per_object` for each box: flat anchor index,
        encoded box (4), class id, weight, box weight ``2 - area / image area`` (small boxes count more),
        corners in input pixels (4). And the index of the box of each row, (M,).

    Raises:
        ValueError: a class id is out of range, or no assigner has the name.
    """
    assigner = assigner_of(spec)
    if not len(truth):
        return np.zeros((0, COLUMNS), dtype=np.float32), np.zeros(0, dtype=np.int64)
    if truth.class_ids.min() < 0 or truth.class_ids.max() >= spec.num_classes:
        raise ValueError(f"class_ids: expected 0 to {spec.num_classes - 1}, got {truth.class_ids.tolist()}")
    cxcywh = xyxy_to_cxcywh(truth.boxes)
    matches = assigner.match(cxcywh, spec, size_hw)
    rows = make_rows(truth, cxcywh, weights, matches, spec, size_hw, assigner.is_dynamic)
    if assigner.most_matches is None:
        return rows, matches.objects
    most = assigner.most_matches(spec)
    return pad_objects(rows, matches.objects, most), np.repeat(np.arange(len(truth)), most)
