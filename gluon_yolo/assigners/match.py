"""Matchers: they select the anchors that predict each ground-truth object."""

from __future__ import annotations

import numpy as np

from gluon_yolo.assigners.targets import Matches, centre_cells, levels_of, nearest_cells
from gluon_yolo.boxes import shape_iou
from gluon_yolo.spec import DetectionSpec

LARGEST_RATIO = 2.0


def match_size_ratio(cxcywh: np.ndarray, spec: DetectionSpec, size_hw: tuple[int, int]) -> Matches:
    """Match each object, on every level, with the anchors of similar size, in up to three cells.

    An anchor matches when ``max(w / aw, aw / w, h / ah, ah / h) < 2``. The cells are the one with the
    object's centre, and the nearest neighbours in its row and in its column. There are fewer than three at
    the border of the map, or when the centre is exactly in the middle of a cell.

    Source: Yolo-FastestV2 (github.com/dog-qiuqiu/Yolo-FastestV2, ``build_target``). The original ignores an
    object that no anchor matches. Here it is matched with the anchor of the most similar shape.

    Args:
        cxcywh: (M, 4) boxes in input pixels; sides are at least 1 pixel.
        spec: anchors and strides.
        size_hw: height and width of the network's input in pixels.

    Returns:
        One match or more for each object, in the objects' order.
    """
    anchors, levels = spec.flat_anchors, levels_of(spec)
    ratios = np.maximum(cxcywh[:, None, 2:], 1) / anchors[None]
    fits = np.maximum(ratios, 1 / ratios).max(axis=2) < LARGEST_RATIO
    lost = np.flatnonzero(~fits.any(axis=1))
    fits[lost, nearest_anchors(cxcywh[lost, 2:], anchors)] = True
    objects, chosen = np.nonzero(fits)

    around, inside = nearest_cells(cxcywh[objects, :2], levels[chosen], spec, size_hw)
    claim, place = np.nonzero(inside)
    return Matches(objects[claim], chosen[claim], around[claim, place])


def match_best_shape(cxcywh: np.ndarray, spec: DetectionSpec, size_hw: tuple[int, int]) -> Matches:
    """Match each object with the anchor of the highest shape IoU, in the cell of its centre.

    Source: Redmon & Farhadi 2018, section 2.1.

    Args:
        cxcywh: (M, 4) boxes in input pixels.
        spec: anchors and strides.
        size_hw: height and width of the network's input in pixels.

    Returns:
        M matches.
    """
    best = nearest_anchors(cxcywh[:, 2:], spec.flat_anchors)
    cells = centre_cells(cxcywh[:, :2], levels_of(spec)[best], spec, size_hw)
    return Matches(np.arange(len(cxcywh)), best, cells)


def nearest_anchors(sizes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Return, for each (width, height) of M, the index of the anchor with the highest shape IoU.

    Args:
        sizes: (M, 2) in pixels.
        anchors: (A, 2) in pixels.

    Returns:
        (M,) indices.
    """
    return shape_iou(sizes, anchors).argmax(axis=1)
