"""Best shape: one anchor for each object, YOLOv3's assigner."""

from __future__ import annotations

import numpy as np

from gluon_yolo.assigners.targets import Matches, centre_cells, grids_wh, levels_of
from gluon_yolo.spec import DetectionSpec

LARGEST_RATIO = 2.0


def match_size_ratio(cxcywh: np.ndarray, spec: DetectionSpec, size_hw: tuple[int, int]) -> Matches:
    """Claim for each object, on every level, the anchors that are less than twice or half its size.

    An anchor fits when ``max(w / aw, aw / w, h / ah, ah / h) < 2``. It is claimed in the cell that holds the
    object's centre, and in the neighbouring column and row whose edges are within half a cell of the centre:
    three cells, fewer at the map's border or with the centre in a cell's very middle.

    Source: Yolo-FastestV2 (github.com/dog-qiuqiu/Yolo-FastestV2, ``build_target``). There an object that no
    anchor fits is left out, which drops its label without a word; here it claims the anchor of the nearest
    shape instead.

    Args:
        cxcywh: (M, 4) boxes in input pixels; sides under one pixel count as one.
        spec: anchors and strides.
        size_hw: height and width of the network's input.

    Returns:
        One claim or more for each object, in the objects' order.
    """
    anchors, levels = spec.flat_anchors, levels_of(spec)
    ratios = np.maximum(cxcywh[:, None, 2:], 1) / anchors[None]
    fits = np.maximum(ratios, 1 / ratios).max(axis=2) < LARGEST_RATIO
    lost = np.flatnonzero(~fits.any(axis=1))
    fits[lost, nearest_anchors(cxcywh[lost, 2:], anchors)] = True
    objects, chosen = np.nonzero(fits)

    level = levels[chosen]
    centres = cxcywh[objects, :2]
    cells = centre_cells(centres, level, spec, size_hw)
    from_middle = centres / np.array(spec.strides)[level, None] - cells - 0.5
    step = np.sign(from_middle).astype(np.int64)
    around = np.stack([cells, cells + step * [1, 0], cells + step * [0, 1]], axis=1)
    inside = ((around >= 0) & (around < grids_wh(spec, size_hw)[level, None])).all(axis=2)
    inside[:, 1:] &= step != 0
    claim, place = np.nonzero(inside)
    return Matches(objects[claim], chosen[claim], around[claim, place])


def match_best_shape(cxcywh: np.ndarray, spec: DetectionSpec, size_hw: tuple[int, int]) -> Matches:
    """Claim for each object the anchor whose shape overlaps it most, in the cell that holds its centre.

    Source: Redmon & Farhadi 2018, section 2.1.

    Args:
        cxcywh: (M, 4) boxes in input pixels.
        spec: anchors and strides.
        size_hw: height and width of the network's input.

    Returns:
        M claims.
    """
    best = nearest_anchors(cxcywh[:, 2:], spec.flat_anchors)
    cells = centre_cells(cxcywh[:, :2], levels_of(spec)[best], spec, size_hw)
    return Matches(np.arange(len(cxcywh)), best, cells)


def nearest_anchors(sizes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Return, for each (w, h) of M, the anchor with the largest overlap when both share their centre."""
    shared = np.minimum(sizes[:, None], anchors[None]).prod(axis=2)
    union = sizes.prod(axis=1)[:, None] + anchors.prod(axis=1)[None] - shared
    return (shared / union).argmax(axis=1)
