"""Rows: claims of objects on anchors as sparse targets, and their padding into a batch."""

from __future__ import annotations

import dataclasses

import numpy as np

from gluon_yolo.detections import Detections
from gluon_yolo.models.box_coder import box_coder_of
from gluon_yolo.spec import DetectionSpec

# Columns of a target row.
INDEX, DELTAS, CLASS, WEIGHT, BOX_WEIGHT, BOX = 0, slice(1, 5), 5, 6, 7, slice(8, 12)
COLUMNS = 12


@dataclasses.dataclass(frozen=True)
class Matches:
    """Which anchors answer for which objects.

    Args:
        objects: (M,) number of the object, not descending.
        anchors: (M,) number of the anchor among all levels' anchors.
        cells: (M, 2) column and row of the cell, inside the anchor's map.
    """

    objects: np.ndarray
    anchors: np.ndarray
    cells: np.ndarray


def levels_of(spec: DetectionSpec) -> np.ndarray:
    """Return the level of each anchor, (sum of A,)."""
    return np.repeat(np.arange(spec.num_levels), spec.anchors_per_level)


def centre_cells(
    centres: np.ndarray, levels: np.ndarray, spec: DetectionSpec, size_hw: tuple[int, int]
) -> np.ndarray:
    """Return column and row (M, 2) of the cell that holds each centre, the nearest one for centres outside.

    Args:
        centres: (M, 2) x and y in input pixels.
        levels: (M,).
        spec: strides.
        size_hw: height and width of the input.
    """
    cells = (centres / np.array(spec.strides)[levels, None]).astype(np.int64)
    return np.clip(cells, 0, grids_wh(spec, size_hw)[levels] - 1)


def grids_wh(spec: DetectionSpec, size_hw: tuple[int, int]) -> np.ndarray:
    """Return columns and rows of each level's map, (L, 2)."""
    height, width = size_hw
    strides = np.array(spec.strides)
    return np.stack([width // strides, height // strides], axis=1)


def make_rows(
    truth: Detections,
    cxcywh: np.ndarray,
    weights: np.ndarray | None,
    matches: Matches,
    spec: DetectionSpec,
    size_hw: tuple[int, int],
) -> np.ndarray:
    """Turn claims into target rows; of rows that claim one anchor the last has it, the others weigh 0.

    Args:
        truth: K boxes in input pixels.
        cxcywh: (K, 4) the same.
        weights: (K,) each object's share of a mixed image; None means 1.
        matches: M of them.
        spec: anchors, strides and box coding.
        size_hw: height and width of the input.

    Returns:
        (M, 12) float32, as :func:`gluon_yolo.assigners.assign` describes them.
    """
    objects, anchors, cells = matches.objects, matches.anchors, matches.cells
    levels = levels_of(spec)[anchors]
    grids = grids_wh(spec, size_hw)
    before = np.cumsum(np.concatenate([[0], grids[levels_of(spec)].prod(axis=1)]))[anchors]
    index = before + cells[:, 1] * grids[levels, 0] + cells[:, 0]
    chosen = cxcywh[objects]

    rows = np.zeros((len(objects), COLUMNS), dtype=np.float32)
    rows[:, INDEX] = index
    rows[:, DELTAS] = box_coder_of(spec).encode(
        chosen,
        cells,
        spec.flat_anchors[anchors],
        np.array(spec.strides)[levels],
        np.array(spec.xy_scales)[levels],
    )
    rows[:, CLASS] = truth.class_ids[objects]
    rows[:, WEIGHT] = 1 if weights is None else weights[objects]
    rows[:, BOX_WEIGHT] = 2 - chosen[:, 2] * chosen[:, 3] / (size_hw[0] * size_hw[1])
    rows[:, BOX] = truth.boxes[objects]
    _, last = np.unique(index[::-1], return_index=True)
    overruled = np.ones(len(rows), dtype=bool)
    overruled[len(rows) - 1 - last] = False
    rows[overruled, WEIGHT] = 0
    return rows


def pad_targets(targets: list[np.ndarray], multiple: int = 8) -> np.ndarray:
    """Stack per-picture targets into (B, M, 12), M the largest count rounded up; padding rows are zero.

    Rounding keeps the number of different shapes small, which a hybridized loss has to plan for.
    """
    longest = max(1, max(len(rows) for rows in targets))
    batch = np.zeros((len(targets), -(-longest // multiple) * multiple, COLUMNS), dtype=np.float32)
    for padded, rows in zip(batch, targets):
        padded[: len(rows)] = rows
    return batch
