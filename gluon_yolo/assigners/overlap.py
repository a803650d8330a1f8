"""Overlap: every anchor whose shape overlaps an object enough, in the cell of its centre."""

from __future__ import annotations

import numpy as np

from gluon_yolo.assigners.targets import Matches, centre_cells, levels_of
from gluon_yolo.boxes import shape_iou
from gluon_yolo.spec import LEAST_IOU, DetectionSpec


def match_overlap(cxcywh: np.ndarray, spec: DetectionSpec, size_hw: tuple[int, int]) -> Matches:
    """Match each object with its best anchor, and with all whose shape IoU is above 0.213, on every level.

    An object's best anchor has priority over a further anchor of another object.

    Source: Bochkovskiy et al. 2020, section 3.4, "using multiple anchors for a single ground truth".

    Args:
        cxcywh: (M, 4) boxes in input pixels.
        spec: anchors and strides.
        size_hw: height and width of the network's input in pixels.

    Returns:
        One match or more for each object, in the objects' order, the best anchor first.
    """
    overlaps = shape_iou(cxcywh[:, 2:], spec.flat_anchors)
    best_first = np.argsort(-overlaps, axis=1, kind="stable")
    fits = np.take_along_axis(overlaps, best_first, axis=1) > LEAST_IOU
    fits[:, 0] = True
    objects, place = np.nonzero(fits)
    anchors = best_first[objects, place]
    cells = centre_cells(cxcywh[objects, :2], levels_of(spec)[anchors], spec, size_hw)
    return Matches(objects, anchors, cells, ranks=np.minimum(place, 1))
