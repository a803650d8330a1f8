"""Assign: ground truth to anchors, as sparse targets, in NumPy beside the picture."""

from __future__ import annotations

import numpy as np

from gluon_yolo.boxes import xyxy_to_cxcywh
from gluon_yolo.nn.coding import coding_of
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.structures import Detections

# Columns of a target row.
INDEX, DELTAS, CLASS, WEIGHT, BOX_WEIGHT, BOX = 0, slice(1, 5), 5, 6, 7, slice(8, 12)
COLUMNS = 12


def assign(
    truth: Detections, weights: np.ndarray | None, spec: DetectionSpec, size_hw: tuple[int, int]
) -> np.ndarray:
    """Give each ground-truth box the anchor whose shape overlaps it most, in the cell that holds its centre.

    Where two boxes claim the same anchor the later one has it; the earlier keeps its row, so that predictions
    on it still go unpunished, with weight 0 (Redmon & Farhadi 2018, section 2.1).

    Args:
        truth: M boxes in input pixels.
        weights: (M,) each object's share of a mixed picture; None means 1.
        spec: anchors, strides and box coding.
        size_hw: height and width of the network's input.

    Returns:
        (M, 12) float32: flat anchor index, encoded box (4), class id, weight, box weight ``2 - area/picture
        area`` (small boxes count more), corners in input pixels (4).

    Raises:
        ValueError: when a class id is none of the spec's.
    """
    rows = np.zeros((len(truth), COLUMNS), dtype=np.float32)
    if not len(truth):
        return rows
    if truth.class_ids.min() < 0 or truth.class_ids.max() >= spec.num_classes:
        raise ValueError(f"class_ids: expected 0 to {spec.num_classes - 1}, got {truth.class_ids.tolist()}")
    height, width = size_hw
    cxcywh = xyxy_to_cxcywh(truth.boxes)
    anchors = spec.flat_anchors
    best = _best_shape(cxcywh[:, 2:], anchors)

    level = np.repeat(np.arange(spec.num_levels), spec.anchors_per_level)[best]
    first = np.cumsum((0,) + spec.anchors_per_level)[:-1]
    strides = np.array(spec.strides)
    grid_h, grid_w = height // strides, width // strides
    offset = np.cumsum(np.concatenate([[0], np.array(spec.anchors_per_level) * grid_h * grid_w]))[:-1]
    last_cell = np.stack([grid_w[level], grid_h[level]], axis=1) - 1
    cells = np.clip((cxcywh[:, :2] / strides[level, None]).astype(np.int64), 0, last_cell)
    index = (
        offset[level] + ((best - first[level]) * grid_h[level] + cells[:, 1]) * grid_w[level] + cells[:, 0]
    )

    rows[:, INDEX] = index
    rows[:, DELTAS] = coding_of(spec).encode(
        cxcywh, cells, anchors[best], strides[level], np.array(spec.xy_scales)[level]
    )
    rows[:, CLASS] = truth.class_ids
    rows[:, WEIGHT] = 1 if weights is None else weights
    rows[:, BOX_WEIGHT] = 2 - cxcywh[:, 2] * cxcywh[:, 3] / (width * height)
    rows[:, BOX] = truth.boxes
    _, last = np.unique(index[::-1], return_index=True)
    overruled = np.ones(len(rows), dtype=bool)
    overruled[len(rows) - 1 - last] = False
    rows[overruled, WEIGHT] = 0
    return rows


def _best_shape(sizes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Return, for each (w, h) of M, the anchor with the largest overlap when both share their centre."""
    shared = np.minimum(sizes[:, None], anchors[None]).prod(axis=2)
    union = sizes.prod(axis=1)[:, None] + anchors.prod(axis=1)[None] - shared
    return (shared / union).argmax(axis=1)


def pad_targets(targets: list[np.ndarray], multiple: int = 8) -> np.ndarray:
    """Stack per-picture targets into (B, M, 12), M the largest count rounded up; padding rows are zero.

    Rounding keeps the number of different shapes small, which a hybridized loss has to plan for.
    """
    longest = max(1, max(len(rows) for rows in targets))
    batch = np.zeros((len(targets), -(-longest // multiple) * multiple, COLUMNS), dtype=np.float32)
    for padded, rows in zip(batch, targets):
        padded[: len(rows)] = rows
    return batch
