"""Best shape: one anchor for each object, YOLOv3's assigner."""

from __future__ import annotations

import numpy as np

from gluon_yolo.assign.rows import Claims, centre_cells, levels_of
from gluon_yolo.spec import DetectionSpec


def best_shape(cxcywh: np.ndarray, spec: DetectionSpec, size_hw: tuple[int, int]) -> Claims:
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
    return Claims(np.arange(len(cxcywh)), best, cells)


def nearest_anchors(sizes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Return, for each (w, h) of M, the anchor with the largest overlap when both share their centre."""
    shared = np.minimum(sizes[:, None], anchors[None]).prod(axis=2)
    union = sizes.prod(axis=1)[:, None] + anchors.prod(axis=1)[None] - shared
    return (shared / union).argmax(axis=1)
