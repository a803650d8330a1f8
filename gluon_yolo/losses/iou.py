"""Differentiable overlaps of pairs of boxes: IoU, GIoU, DIoU and CIoU.

Each function takes two boxes as x1, y1, x2, y2 (four arrays of one shape, x1 <= x2 and y1 <= y2, in pixels),
the predicted one first, and returns an array of that shape, 1 where the boxes are equal. ``1 - overlap`` is a
loss. Values and gradients are finite, also for boxes without area and for boxes far apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

Sides = Sequence[Any]  # x1, y1, x2, y2: arrays of one shape
# Keeps a divisor above 0, in square pixels (in pixels for a ratio of sides): negligible for a visible box,
# and large enough that its square does not underflow in float32.
_TINY = 1e-6


def iou(F: Any, box: Sides, truth: Sides) -> Any:
    """Return the intersection over the union, 0 to 1."""
    return _iou(F, box, truth)[0]


def giou(F: Any, box: Sides, truth: Sides) -> Any:
    """Return the generalized IoU, -1 to 1 (Rezatofighi et al. 2019, algorithm 1).

    IoU minus the share of the smallest enclosing box that the union does not cover.
    """
    overlap, union = _iou(F, box, truth)
    width, height = _hull(F, box, truth)
    hull = width * height
    return overlap - (hull - union) / (hull + _TINY)


def diou(F: Any, box: Sides, truth: Sides) -> Any:
    """Return the distance IoU, -1 to 1 (Zheng et al. 2020, equation 7).

    IoU minus the squared distance of the centres over the squared diagonal of the smallest enclosing box.
    """
    return _iou(F, box, truth)[0] - _distance(F, box, truth)


def ciou(F: Any, box: Sides, truth: Sides) -> Any:
    """Return the complete IoU, at most 1 (Zheng et al. 2020, equations 8 to 11).

    :func:`diou` minus ``alpha * v``, where ``v`` is a difference of aspect ratios and ``alpha = v / (1 - IoU
    + v)`` has no gradient.
    """
    overlap, _ = _iou(F, box, truth)
    v = F.square(_aspect(F, box) - _aspect(F, truth)) * (4 / math.pi**2)
    alpha = F.BlockGrad(v / (1 - overlap + v + _TINY))
    return overlap - _distance(F, box, truth) - alpha * v


OVERLAPS = {"giou": giou, "diou": diou, "ciou": ciou}


def _iou(F: Any, box: Sides, truth: Sides) -> tuple[Any, ...]:
    """Return the IoU, and the area of the union."""
    width = F.relu(F.broadcast_minimum(box[2], truth[2]) - F.broadcast_maximum(box[0], truth[0]))
    height = F.relu(F.broadcast_minimum(box[3], truth[3]) - F.broadcast_maximum(box[1], truth[1]))
    intersection = width * height
    union = _area(box) + _area(truth) - intersection
    return intersection / (union + _TINY), union


def _area(box: Sides) -> Any:
    return (box[2] - box[0]) * (box[3] - box[1])


def _hull(F: Any, box: Sides, truth: Sides) -> tuple[Any, ...]:
    """Return width and height of the smallest enclosing box."""
    return tuple(
        F.broadcast_maximum(box[high], truth[high]) - F.broadcast_minimum(box[low], truth[low])
        for low, high in ((0, 2), (1, 3))
    )


def _distance(F: Any, box: Sides, truth: Sides) -> Any:
    """Return the squared distance of the centres over the squared diagonal of the enclosing box."""
    width, height = _hull(F, box, truth)
    across = box[0] + box[2] - truth[0] - truth[2]
    down = box[1] + box[3] - truth[1] - truth[3]
    return (F.square(across) + F.square(down)) / 4 / (F.square(width) + F.square(height) + _TINY)


def _aspect(F: Any, box: Sides) -> Any:
    """Return the angle of the diagonal in radians, 0 to pi / 2."""
    return F.arctan((box[2] - box[0]) / (box[3] - box[1] + _TINY))
