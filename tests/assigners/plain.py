"""Matches of one object, derived by plain loops: what the assigners' tests compare with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gluon_yolo.spec import DetectionSpec


def shape_overlaps(sides, spec: DetectionSpec) -> list[float]:
    """Return the IoU of a box's shape with each anchor's, level by level."""
    found = []
    for level in spec.anchors:
        for width, height in level:
            shared = min(sides[0], width) * min(sides[1], height)
            found.append(shared / (sides[0] * sides[1] + width * height - shared))
    return found


def planes(spec: DetectionSpec, size_hw) -> list[tuple[int, int, int, int]]:
    """Return each anchor's stride, columns and rows of its map, and first flat index."""
    found, before = [], 0
    for level, stride in zip(spec.anchors, spec.strides):
        columns, rows = size_hw[1] // stride, size_hw[0] // stride
        for _ in level:
            found.append((stride, columns, rows, before))
            before += columns * rows
    return found


def three_cells(centre, anchor: int, spec: DetectionSpec, size_hw) -> Iterator[int]:
    """Yield an anchor's flat index in a centre's cell, and in the nearest cells of its row and column."""
    stride, columns, rows, before = planes(spec, size_hw)[anchor]
    x, y = centre[0] / stride, centre[1] / stride
    column, row = int(x), int(y)
    cells = [(column, row)]
    if x % 1 != 0.5:
        cells.append((column + (1 if x % 1 > 0.5 else -1), row))
    if y % 1 != 0.5:
        cells.append((column, row + (1 if y % 1 > 0.5 else -1)))
    for column, row in cells:
        if 0 <= column < columns and 0 <= row < rows:
            yield before + row * columns + column


def winners(claims: list[tuple[int, int]]) -> list[bool]:
    """Return which claims, each a flat index and a rank, have their anchor: the last of the lowest rank."""
    holder: dict[int, int] = {}
    for number, (index, rank) in enumerate(claims):
        if index not in holder or rank <= claims[holder[index]][1]:
            holder[index] = number
    return [holder[index] == number for number, (index, _) in enumerate(claims)]


def random_boxes(count: int, size_hw, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return centres and sides (count, 2) in pixels; the second half of the boxes lies near the first."""
    rng = np.random.default_rng(seed)
    height, width = size_hw
    centres, sides = rng.uniform(0, (width, height), (count, 2)), np.exp(rng.uniform(2, 5, (count, 2)))
    half = count // 2
    centres[half:] = np.clip(centres[:half] + rng.normal(0, 8, (half, 2)), 0, np.array([width, height]) - 1)
    sides[half:] = sides[:half]
    return centres, sides


def corners(centres: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Return boxes (M, 4) as corners."""
    return np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)
