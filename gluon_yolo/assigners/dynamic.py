"""Dynamic assignment: candidates for each object, of which the loss chooses by what is predicted."""

from __future__ import annotations

import numpy as np

from gluon_yolo.assigners import neighbours
from gluon_yolo.assigners.targets import Matches, levels_of, nearest_cells
from gluon_yolo.boxes import shape_iou
from gluon_yolo.spec import DetectionSpec

ANCHORS = 4


def most_candidates(spec: DetectionSpec) -> int:
    """Return the largest number of candidates of an object."""
    return neighbours.CELLS * min(ANCHORS, len(spec.flat_anchors))


def match_candidates(cxcywh: np.ndarray, spec: DetectionSpec, size_hw: tuple[int, int]) -> Matches:
    """Match each object with its candidates: the four anchors of the highest shape IoU, in three cells each.

    The anchors may be of several levels. The cells are the one with the object's centre, and the nearest
    neighbours in its row and in its column. :func:`gluon_yolo.losses.dynamic.choose` chooses of these, and
    says which object has an anchor that is a candidate of two.

    Source: the candidates of YOLOv7 (Wang et al. 2022, github.com/WongKinYiu/yolov7, ``utils/loss.py``,
    ``ComputeLossOTA``) are such cells too, of the anchors of similar size.

    Args:
        cxcywh: (M, 4) boxes in input pixels.
        spec: anchors and strides.
        size_hw: height and width of the network's input in pixels.

    Returns:
        One to twelve matches for each object, in the objects' order, the best anchor in its own cell first.
    """
    overlaps = shape_iou(cxcywh[:, 2:], spec.flat_anchors)
    best = np.argsort(-overlaps, axis=1, kind="stable")[:, :ANCHORS]
    anchors = best.reshape(-1)
    objects = np.repeat(np.arange(len(cxcywh)), best.shape[1])
    cells, inside = nearest_cells(cxcywh[objects, :2], levels_of(spec)[anchors], spec, size_hw)
    pair, place = np.nonzero(inside)
    return Matches(objects[pair], anchors[pair], cells[pair, place])
