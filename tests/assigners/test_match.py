"""The size-ratio matcher: anchors and cells of a box, by hand and against a plain loop."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gluon_yolo.assigners import BOX, CLASS, DELTAS, INDEX, WEIGHT, assign
from gluon_yolo.detections import Detections
from gluon_yolo.models.box_coder import SquaredSigmoidBoxCoder
from gluon_yolo.spec import DetectionSpec

# Two anchors at stride 16, one at stride 32; the input's maps have 4x6 and 2x3 cells.
SPEC = DetectionSpec(
    ("cat", "dog", "bird"),
    (((20, 20), (30, 30)), ((60, 40),)),
    (16, 32),
    box_coding="squared_sigmoid",
    score_rule="objectness_times_softmax",
    assigner="size_ratio",
    xy_scales=(2, 2),
)
SIZE_HW = (64, 96)
SECOND_LEVEL = 2 * 4 * 6


def at(x, y, w, h) -> list[float]:
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def index_of(level: int, anchor: int, column: int, row: int) -> int:
    return SECOND_LEVEL + row * 3 + column if level else (anchor * 4 + row) * 6 + column


# centre and size; matches as level, anchor, column, row
BOXES = [
    # In the upper left part of cell (2, 1): the left and the upper neighbour. Only 20x20 has a similar size.
    ((35, 20, 14, 14), [(0, 0, 2, 1), (0, 0, 1, 1), (0, 0, 2, 0)]),
    # The lower right part of the same cell.
    ((42, 28, 14, 14), [(0, 0, 2, 1), (0, 0, 3, 1), (0, 0, 2, 2)]),
    # Exactly the middle: no neighbour is the nearest.
    ((40, 24, 14, 14), [(0, 0, 2, 1)]),
    ((40, 25, 14, 14), [(0, 0, 2, 1), (0, 0, 2, 2)]),
    # Corners of the image: no neighbour outside the map.
    ((1, 1, 14, 14), [(0, 0, 0, 0)]),
    ((95, 63, 14, 14), [(0, 0, 5, 3)]),
    ((95, 20, 14, 14), [(0, 0, 5, 1), (0, 0, 5, 0)]),
    # A centre on the image's lower right corner, and one outside it: the last cell.
    ((96, 64, 14, 14), [(0, 0, 5, 3)]),
    ((120, -30, 14, 14), [(0, 0, 5, 0)]),
    # Between two anchors of a level: both.
    ((40, 24, 25, 25), [(0, 0, 2, 1), (0, 1, 2, 1)]),
    # On both levels. The middle of cell (2, 1) at stride 16; the lower left part of cell (1, 0) at stride 32.
    ((40, 24, 35, 35), [(0, 0, 2, 1), (0, 1, 2, 1), (1, 0, 1, 0), (1, 0, 0, 0), (1, 0, 1, 1)]),
    # Twice an anchor's side is too much, and half of it is too little.
    ((40, 24, 10, 14), [(0, 0, 2, 1)]),  # 20 / 10 = 2 matches none; 20x20 is the most similar shape
    ((40, 24, 10.1, 14), [(0, 0, 2, 1)]),
    ((40, 24, 40, 16), [(0, 1, 2, 1)]),  # long and flat: 30x30 only, since 40 / 20 is too much
    ((40, 24, 90, 12), [(1, 0, 1, 0), (1, 0, 0, 0), (1, 0, 1, 1)]),  # too flat for any: 60x40
    # Larger and smaller than all anchors.
    ((40, 24, 300, 200), [(1, 0, 1, 0), (1, 0, 0, 0), (1, 0, 1, 1)]),
    ((40, 24, 0, 0), [(0, 0, 2, 1)]),
]


@pytest.mark.parametrize(("box", "matches"), BOXES, ids=str)
def test_claims_by_hand(box, matches):
    rows = assign(Detections([at(*box)], [2]), None, SPEC, SIZE_HW)
    assert sorted(rows[:, INDEX].astype(int)) == sorted(index_of(*claim) for claim in matches)
    assert (rows[:, WEIGHT] == 1).all() and (rows[:, CLASS] == 2).all()
    np.testing.assert_allclose(rows[:, BOX], [at(*box)] * len(matches), rtol=1e-5)


def test_each_cells_target_is_the_box():
    """A centre in the neighbour cell is in the range of two cells: each row decodes to the box."""
    box = at(35, 20, 25, 28)
    rows = assign(Detections([box], [0]), None, SPEC, SIZE_HW).astype(float)
    raw = np.log(rows[:, DELTAS] / (1 - rows[:, DELTAS]))
    assert len(rows) == 6
    for row, deltas in zip(rows, raw):
        anchor, cell = divmod(int(row[INDEX]), 24)
        where = np.array([[cell % 6, cell // 6]]), np.array([SPEC.anchors[0][anchor]]), np.array([16])
        decoded = SquaredSigmoidBoxCoder.decode_array(deltas[None], *where, 2)
        np.testing.assert_allclose(decoded, [box], atol=1e-4)


def test_the_later_of_two_claims_holds():
    """The second box's centre is in the neighbour cell that the first box matches too."""
    truth = Detections([at(35, 24, 14, 14), at(24, 24, 14, 14)], [0, 1])
    rows = assign(truth, np.array([0.25, 0.75]), SPEC, SIZE_HW)
    assert rows[:, INDEX].tolist() == [index_of(0, 0, 2, 1), index_of(0, 0, 1, 1), index_of(0, 0, 1, 1)]
    assert rows[:, WEIGHT].tolist() == [0.25, 0, 0.75]


@pytest.mark.parametrize("size_hw", [(64, 96), (352, 352), (320, 192)])
def test_equals_the_plain_loop(size_hw):
    spec = dataclasses.replace(
        SPEC,
        anchors=(((12, 18), (37, 49), (52, 132)), ((115, 73), (119, 199), (242, 238))),
    )
    rng = np.random.default_rng(sum(size_hw))
    height, width = size_hw
    centres, sides = rng.uniform(0, (width, height), (60, 2)), np.exp(rng.uniform(1, 6, (60, 2)))
    boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)
    truth = Detections(boxes, rng.integers(0, 3, 60))
    rows = assign(truth, None, spec, size_hw)
    expected = [
        (box, claim)
        for box, (centre, side) in enumerate(zip(centres, sides))
        for claim in plain_claims(centre, side, spec, size_hw)
    ]
    found = []
    for row in rows:
        box = next(n for n, corners in enumerate(truth.boxes) if np.array_equal(corners, row[BOX]))
        found.append((box, int(row[INDEX])))
    assert sorted(found) == sorted(expected)
    assert [box for box, _ in found] == sorted(box for box, _ in found)
    last_claim = {index: number for number, index in enumerate(rows[:, INDEX])}
    assert rows[:, WEIGHT].tolist() == [float(last_claim[i] == n) for n, i in enumerate(rows[:, INDEX])]
    assert len(rows) > 2 * len(truth)


def plain_claims(centre, side, spec, size_hw):
    """Yield the flat index of each anchor that a box matches."""
    fitting, nearest, before = [], (-1.0, 0, 0), 0
    for level, (anchors, stride) in enumerate(zip(spec.anchors, spec.strides)):
        for anchor in anchors:
            if all(max(s / a, a / s) < 2 for s, a in zip(side, anchor)):
                fitting.append((level, before))
            shared = min(side[0], anchor[0]) * min(side[1], anchor[1])
            iou = shared / (side[0] * side[1] + anchor[0] * anchor[1] - shared)
            nearest = max(nearest, (iou, -level, -before))
            before += (size_hw[0] // stride) * (size_hw[1] // stride)
    for level, first in fitting or [(-nearest[1], -nearest[2])]:
        stride = spec.strides[level]
        x, y = centre / stride
        cells = {(int(x), int(y))}
        across, down = (1 if place % 1 > 0.5 else -1 for place in (x, y))
        cells |= {(int(x) + across, int(y)), (int(x), int(y) + down)}
        for column, row in cells:
            if 0 <= column < size_hw[1] // stride and 0 <= row < size_hw[0] // stride:
                yield first + row * (size_hw[1] // stride) + column
