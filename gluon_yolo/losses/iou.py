"""Overlaps of pairs of boxes that a network can be trained by: GIoU, DIoU and CIoU.

Each takes two boxes as sides x1, y1, x2, y2 (four arrays of one shape, x1 <= x2 and y1 <= y2, in pixels), the
predicted one first, and gives an array of that shape, 1 where the boxes are the same. ``1 - overlap`` is a
loss. Values and gradients are finite for boxes without area and for boxes far apart.
"""

from __future__ import annotations

import math

# Square pixels (or pixels, under a quotient of sides) that keep a divisor from 0: nothing to a box that is
# seen, and far from where a float's square would vanish.
_TINY = 1e-6


def giou(F, box, truth):
    """Return the generalized intersection over union, -1 to 1 (Rezatofighi et al. 2019, algorithm 1).

    What the smallest box around both has beside their union, as a share of it, is taken off.
    """
    overlap, union = _iou(F, box, truth)
    width, height = _hull(F, box, truth)
    hull = width * height
    return overlap - (hull - union) / (hull + _TINY)


def diou(F, box, truth):
    """Return the distance intersection over union, -1 to 1 (Zheng et al. 2020, equation 7).

    The squared distance of the centres, as a share of the squared diagonal around both, is taken off.
    """
    return _iou(F, box, truth)[0] - _distance(F, box, truth)


def ciou(F, box, truth):
    """Return the complete intersection over union (Zheng et al. 2020, equations 8 to 11), at most 1.

    As :func:`diou`, and a difference ``v`` in aspect is taken off as well, times ``v / (1 - IoU + v)``, which
    is a weight and has no gradient.
    """
    overlap, _ = _iou(F, box, truth)
    v = F.square(_aspect(F, box) - _aspect(F, truth)) * (4 / math.pi**2)
    alpha = F.BlockGrad(v / (1 - overlap + v + _TINY))
    return overlap - _distance(F, box, truth) - alpha * v


OVERLAPS = {"giou": giou, "diou": diou, "ciou": ciou}


def _iou(F, box, truth):
    """Return intersection over union, and the union's area."""
    width = F.relu(F.broadcast_minimum(box[2], truth[2]) - F.broadcast_maximum(box[0], truth[0]))
    height = F.relu(F.broadcast_minimum(box[3], truth[3]) - F.broadcast_maximum(box[1], truth[1]))
    intersection = width * height
    union = _area(box) + _area(truth) - intersection
    return intersection / (union + _TINY), union


def _area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def _hull(F, box, truth):
    """Return width and height of the smallest box around both."""
    return tuple(
        F.broadcast_maximum(box[high], truth[high]) - F.broadcast_minimum(box[low], truth[low])
        for low, high in ((0, 2), (1, 3))
    )


def _distance(F, box, truth):
    """Return the squared distance of the centres over the squared diagonal of the box around both."""
    width, height = _hull(F, box, truth)
    across = box[0] + box[2] - truth[0] - truth[2]
    down = box[1] + box[3] - truth[1] - truth[3]
    return (F.square(across) + F.square(down)) / 4 / (F.square(width) + F.square(height) + _TINY)


def _aspect(F, box):
    """Return the angle of the diagonal, in radians, 0 to pi / 2."""
    return F.arctan((box[2] - box[0]) / (box[3] - box[1] + _TINY))
