"""Outline shape: whether points form an outline, or are other numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_SAME = 2e-3  # tolerance, relative to the image's sides, for corners written with three decimals
_MOST = 40  # maximum number of corners to check; of more, evenly spaced ones
_QUAD = 4
_SMALL = 1 / 3
# Allowed distance of a corner from the others, relative to their extent.
_GRACE, _GRACE_OF_SMALL, _GRACE_OF_LAST = 0.75, 1.5, 0.5
_FEWEST = 8
_TOGETHER = 0.7


def is_shaped(numbers: Sequence[float]) -> bool:
    """Return whether numbers that can also be a box and more numbers look like an outline.

    An outline that ends where it begins does, a rotated rectangle does, and an outline that is small compared
    with the size of that box does. Otherwise the second corner, which would be the box's size, must be near
    the others, and no two sides may cross; four corners must be convex.

    Args:
        numbers: three or more corners relative to the image's sides: x, y, x, y, ...
    """
    points = np.array(numbers, dtype=np.float64).reshape(-1, 2)
    if not np.isfinite(points).all():
        return False
    if len(points) >= _QUAD and np.allclose(points[0], points[-1], rtol=0, atol=1e-9):
        return bool(np.ptp(points, axis=0).min() > 0)
    if _is_parallelogram(points):
        return True
    others = np.delete(points, 1, axis=0)
    low, size = others.min(axis=0), np.ptp(others, axis=0)
    if (size < _SMALL * points[1]).all() and _is_near(points[1], low, size, _GRACE_OF_SMALL):
        return True
    if len(points) < _QUAD or not _is_near(points[1], low, size, _GRACE):
        return False
    return _is_convex(points) if len(points) == _QUAD else _is_simple(points)


def _is_parallelogram(points: np.ndarray) -> bool:
    """Return whether corners (N, 2) are those of a rotated rectangle, scaled by the image's sides."""
    if len(points) != _QUAD:
        return False
    first, second, third, fourth = points
    is_closed = float(np.abs(first + third - second - fourth).max()) < _SAME
    return is_closed and float(_cross(second - first, third - first)) != 0


def is_far(numbers: Sequence[float]) -> bool:
    """Return whether the last corner is farther from the others than half of their extent."""
    points = np.array(numbers, dtype=np.float64).reshape(-1, 2)
    low, size = points[:-1].min(axis=0), np.ptp(points[:-1], axis=0)
    return not _is_near(points[-1], low, size, _GRACE_OF_LAST)


def move_together(starts: np.ndarray) -> bool:
    """Return whether first and second corners are correlated over the outlines of a data set.

    A box's size hardly depends on its position; a corner is near the one before it.

    Args:
        starts: (N, 4) first and second corner of each outline.
    """
    if len(starts) < _FEWEST or (starts.std(axis=0) == 0).any():
        return False
    return all(np.corrcoef(starts[:, axis], starts[:, axis + 2])[0, 1] > _TOGETHER for axis in (0, 1))


def _is_near(point: np.ndarray, low: np.ndarray, size: np.ndarray, grace: float) -> bool:
    reach = grace * size.max()
    return bool(((point >= low - reach) & (point <= low + size + reach)).all())


def _is_convex(points: np.ndarray) -> bool:
    sides = np.roll(points, -1, axis=0) - points
    turns = np.sign(_cross(sides, np.roll(sides, -1, axis=0)))
    return bool((turns >= 0).all() or (turns <= 0).all()) and bool(turns.any())


def _is_simple(points: np.ndarray) -> bool:
    """Return whether no two sides cross, and no corner repeats except next to itself."""
    points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
    points = points[:: -(-len(points) // _MOST) or 1]
    if len(points) < 3 or len(np.unique(points, axis=0)) < len(points):
        return False
    begin, end = points, np.roll(points, -1, axis=0)
    side = end - begin
    # of_begin[i, j]: the side of line i on which corner j lies
    of_begin = np.sign(_cross(side[:, None], begin[None] - begin[:, None]))
    of_end = np.roll(of_begin, -1, axis=1)
    divided = of_begin * of_end < 0
    return not bool((divided & divided.T).any())


def _cross(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]
