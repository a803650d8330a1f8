"""Sparse targets: matches of objects and anchors as rows, and their padding to a batch."""

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
    """Pairs of an object and an anchor that predicts it.

    Args:
        objects: (M,) index of the object, in ascending order.
        anchors: (M,) index of the anchor among those of all levels.
        cells: (M, 2) column and row of the cell in the anchor's map.
        ranks: (M,) whole numbers: of two objects that match one anchor, the match of the lower rank has it;
            None is 0 for all.
    """

    objects: np.ndarray
    anchors: np.ndarray
    cells: np.ndarray
    ranks: np.ndarray | None = None


def levels_of(spec: DetectionSpec) -> np.ndarray:
    """Return the level of each anchor, (total number of anchors,)."""
    return np.repeat(np.arange(spec.num_levels), spec.anchors_per_level)


def centre_cells(
    centres: np.ndarray, levels: np.ndarray, spec: DetectionSpec, size_hw: tuple[int, int]
) -> np.ndarray:
    """Return column and row (M, 2) of the cell of each centre; a centre outside gets the nearest cell.

    Args:
        centres: (M, 2) x and y in input pixels.
        levels: (M,).
        spec: strides.
        size_hw: height and width of the network's input in pixels.
    """
    cells = (centres / np.array(spec.strides)[levels, None]).astype(np.int64)
    return np.clip(cells, 0, grids_wh(spec, size_hw)[levels] - 1)


def grids_wh(spec: DetectionSpec, size_hw: tuple[int, int]) -> np.ndarray:
    """Return the number of columns and rows of each level's map, (levels, 2)."""
    height, width = size_hw
    strides = np.array(spec.strides)
    return np.stack([width // strides, height // strides], axis=1)


def nearest_cells(
    centres: np.ndarray, levels: np.ndarray, spec: DetectionSpec, size_hw: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cell of each centre, and the nearest neighbours in its row and in its column.

    Args:
        centres: (M, 2) x and y in input pixels.
        levels: (M,).
        spec: strides.
        size_hw: height and width of the network's input in pixels.

    Returns:
        Column and row of the three cells, (M, 3, 2), and which of them there are, (M, 3): a neighbour may be
        outside of the map, and a centre exactly in the middle of a cell has no nearest one.
    """
    cells = centre_cells(centres, levels, spec, size_hw)
    from_middle = centres / np.array(spec.strides)[levels, None] - cells - 0.5
    step = np.sign(from_middle).astype(np.int64)
    around = np.stack([cells, cells + step * [1, 0], cells + step * [0, 1]], axis=1)
    inside = ((around >= 0) & (around < grids_wh(spec, size_hw)[levels, None])).all(axis=2)
    inside[:, 1:] &= step != 0
    return around, inside


def pad_objects(rows: np.ndarray, objects: np.ndarray, rows_per_object: int) -> np.ndarray:
    """Give every object the same number of rows; the added ones are its first row with weight 0.

    Args:
        rows: (M, 12) target rows.
        objects: (M,) index of each row's object, ascending from 0 without gaps.
        rows_per_object: P, at least the rows of any object.

    Returns:
        (K * P, 12) for K objects.
    """
    first = np.flatnonzero(np.diff(objects, prepend=-1))
    padded = np.repeat(rows[first], rows_per_object, axis=0)
    padded[:, WEIGHT] = 0
    padded[objects * rows_per_object + np.arange(len(rows)) - first[objects]] = rows
    return padded


def make_rows(
    truth: Detections,
    cxcywh: np.ndarray,
    weights: np.ndarray | None,
    matches: Matches,
    spec: DetectionSpec,
    size_hw: tuple[int, int],
    are_candidates: bool = False,
) -> np.ndarray:
    """Turn matches into target rows; of several rows with one anchor only one has a weight.

    It is the last one of the lowest rank. Rows of candidates all keep their weight.

    Args:
        truth: K boxes in input pixels.
        cxcywh: (K, 4) the same boxes.
        weights: (K,) each object's share of a mixed image; None is 1.
        matches: M of them.
        spec: anchors, strides and box coding.
        size_hw: height and width of the network's input in pixels.
        are_candidates: whether the loss chooses of the matches.

    Returns:
        (M, 12) float32, as for :func:`gluon_yolo.assigners.assign`.
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
    if are_candidates:
        return rows
    order = np.arange(len(rows)) if matches.ranks is None else np.argsort(-matches.ranks, kind="stable")
    _, last = np.unique(index[order][::-1], return_index=True)
    overruled = np.ones(len(rows), dtype=bool)
    overruled[order[len(rows) - 1 - last]] = False
    rows[overruled, WEIGHT] = 0
    return rows
