"""Neighbouring cells: the best anchor of each object, in up to three cells."""

from __future__ import annotations

import numpy as np

from gluon_yolo.assigners.match import nearest_anchors
from gluon_yolo.assigners.targets import Matches, levels_of, nearest_cells
from gluon_yolo.spec import DetectionSpec

CELLS = 3
# A centre is up to half a cell outside of a neighbour, so the coder needs -0.5..1.5 cells.
XY_SCALE = 2.0


def match_neighbours(cxcywh: np.ndarray, spec: DetectionSpec, size_hw: tuple[int, int]) -> Matches:
    """Match each object with the anchor of the highest shape IoU, in the three cells nearest to its centre.

    The cells are the one with the centre, and the nearest neighbours in its row and in its column. There are
    fewer at the border of the map. An object's own cell has priority over a neighbour of another object's.

    Source: YOLOv5 (Jocher 2020, github.com/ultralytics/yolov5, ``utils/loss.py``, ``build_targets``), whose
    centres have the range ``2 * sigmoid - 0.5`` for that. Its choice of anchors, all of a similar size, is
    left out here.

    Args:
        cxcywh: (M, 4) boxes in input pixels.
        spec: anchors and strides.
        size_hw: height and width of the network's input in pixels.

    Returns:
        One to three matches for each object, in the objects' order, its own cell first.
    """
    best = nearest_anchors(cxcywh[:, 2:], spec.flat_anchors)
    cells, inside = nearest_cells(cxcywh[:, :2], levels_of(spec)[best], spec, size_hw)
    objects, place = np.nonzero(inside)
    return Matches(objects, best[objects], cells[objects, place], ranks=np.minimum(place, 1))
