"""Box arithmetic in NumPy: area, IoU, clipping, and conversion between corners and centres.

Boxes are (N, 4) corners ``x1, y1, x2, y2`` unless a name says otherwise. A width is ``x2 - x1``, without the
"+1" of integer pixels.
"""

from __future__ import annotations

import numpy as np


def area(boxes: np.ndarray) -> np.ndarray:
    """Return the areas (N,) of boxes (N, 4), in squared units of the boxes."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def iou_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the intersection over union (N, M) of boxes (N, 4) and (M, 4); 0 where both boxes are empty."""
    intersection = intersection_matrix(a, b)
    union = area(a)[:, None] + area(b)
    union -= intersection
    return intersection / np.maximum(union, np.finfo(np.float32).tiny)


def cover_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return which share (N, M) of the area of boxes (N, 4) lies in boxes (M, 4); 0 for an empty box."""
    return intersection_matrix(a, b) / np.maximum(area(a), np.finfo(np.float32).tiny)[:, None]


def intersection_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the areas (N, M) of the intersections of boxes (N, 4) and (M, 4)."""
    left, top, right, bottom = np.ascontiguousarray(b.T)  # contiguous rows and in-place steps make NMS faster
    width = np.minimum(a[:, 2:3], right)
    width -= np.maximum(a[:, 0:1], left)
    height = np.minimum(a[:, 3:4], bottom)
    height -= np.maximum(a[:, 1:2], top)
    intersection = np.maximum(width, 0, out=width)
    intersection *= np.maximum(height, 0, out=height)
    return intersection


def part_in(boxes: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return the part (N, 4) of boxes (N, 4) in a region (4,); corners are swapped where there is none."""
    corners = np.maximum(boxes[:, :2], region[:2]), np.minimum(boxes[:, 2:], region[2:])
    return np.concatenate(corners, axis=1)


def clip(boxes: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Return boxes (N, 4) in pixels with every corner clipped to an image of ``size_hw``."""
    height, width = size_hw
    return np.clip(boxes, 0, np.array([width, height, width, height], dtype=boxes.dtype))


def xyxy_to_cxcywh(boxes: np.ndarray) -> np.ndarray:
    """Convert corners (N, 4) to centre x, centre y, width, height (N, 4), in the same unit."""
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)


def cxcywh_to_xyxy(boxes: np.ndarray) -> np.ndarray:
    """Convert centre x, centre y, width, height (N, 4) to corners (N, 4), in the same unit."""
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def shape_iou(sizes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the IoU (N, M) of boxes with the same centre, by their width and height (N, 2) and (M, 2)."""
    shared = np.minimum(sizes[:, None], others[None]).prod(axis=2)
    return shared / (sizes.prod(axis=1)[:, None] + others.prod(axis=1)[None] - shared)
