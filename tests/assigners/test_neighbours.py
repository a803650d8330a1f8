"""Neighbouring cells and further anchors of a YOLOv3 head: by hand, and against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.assigners import BOX, DELTAS, INDEX, WEIGHT, assign, rows_per_object
from gluon_yolo.detections import Detections
from gluon_yolo.models.box_coder import YOLOv3BoxCoder
from gluon_yolo.spec import DetectionSpec
from tests.assigners.plain import (
    corners,
    planes,
    random_boxes,
    shape_overlaps,
    three_cells,
    winners,
)

ANCHORS = (((20, 20), (30, 60)), ((60, 40),))  # strides 16 and 32
SIZE_HW = (64, 96)  # maps of 4x6 and 2x3 cells
SECOND_ANCHOR, SECOND_LEVEL = 24, 48


def spec_of(assigner: str, xy_scale: float = 1) -> DetectionSpec:
    return DetectionSpec(("cat", "dog"), ANCHORS, (16, 32), assigner=assigner, xy_scales=(xy_scale, xy_scale))


NEIGHBOURS, OVERLAP = spec_of("neighbours", 2), spec_of("overlap")


def rows_of(*boxes, spec) -> np.ndarray:
    """Return the rows (K, P, 12) of boxes of centre and size."""
    array = np.array(boxes, dtype=float)
    rows = assign(Detections(corners(array[:, :2], array[:, 2:]), [0] * len(boxes)), None, spec, SIZE_HW)
    return rows.reshape(len(boxes), rows_per_object(spec), 12)


# centre and size; the matches as flat indices, the cell of the centre or the best anchor first
CELLS = [
    ((35, 20, 20, 20), [6 + 2, 6 + 1, 2]),  # upper left in cell (2, 1): left, then upper neighbour
    ((42, 28, 20, 20), [6 + 2, 6 + 3, 12 + 2]),  # lower right: right, then lower neighbour
    ((40, 24, 20, 20), [6 + 2]),  # exactly the middle: none is the nearest
    ((1, 1, 20, 20), [0]),  # neighbours outside of the map
    ((40, 24, 60, 40), [SECOND_LEVEL + 1, SECOND_LEVEL, SECOND_LEVEL + 3 + 1]),  # the other level
]
# shape overlaps of 30x60 with the three anchors: 400 / 1800 = 0.222, 1, 1200 / 3000 = 0.4
OVERLAPS = [
    ((40, 24, 30, 60), [SECOND_ANCHOR + 8, SECOND_LEVEL + 1, 8]),  # best first, all above 0.213
    ((40, 24, 20, 20), [8, SECOND_ANCHOR + 8]),  # 1, 0.222, 400 / 2400 = 0.167
    ((40, 24, 4, 4), [8]),  # none above 0.213: the best alone
]


@pytest.mark.parametrize(
    ("box", "matches", "spec"),
    [(*case, NEIGHBOURS) for case in CELLS] + [(*case, OVERLAP) for case in OVERLAPS],
    ids=str,
)
def test_matches_by_hand(box, matches, spec):
    (rows,) = rows_of(box, spec=spec)
    assert len(rows) == 3  # for neighbours three cells, for overlap three anchors
    assert rows[:, INDEX].tolist() == matches + [matches[0]] * (3 - len(matches))
    assert rows[:, WEIGHT].tolist() == [1] * len(matches) + [0] * (3 - len(matches))


def test_an_own_cell_has_priority_over_a_neighbour():
    """The later box's neighbour is the earlier one's cell; without ranks the later would have it."""
    left, right = (24, 24, 20, 20), (33, 24, 20, 20)
    rows = rows_of(left, right, spec=NEIGHBOURS)
    assert rows[1, :2, INDEX].tolist() == [8, 7] and rows[0, 0, INDEX] == 7
    assert rows[..., WEIGHT].tolist() == [[1, 0, 0], [1, 0, 0]]


def test_a_best_anchor_has_priority_over_a_further_one():
    tall, square = (40, 24, 30, 60), (40, 24, 20, 20)
    rows = rows_of(tall, square, spec=OVERLAP)
    assert rows[..., WEIGHT].tolist() == [[1, 1, 0], [1, 0, 0]]
    rows = rows_of(square, tall, spec=OVERLAP)
    assert rows[..., WEIGHT].tolist() == [[1, 0, 0], [1, 1, 0]]


def plain_claims(centre, sides, spec, size_hw):
    """Yield flat index and rank of each match of one box."""
    overlaps = shape_overlaps(sides, spec)
    best = max(range(len(overlaps)), key=lambda anchor: (overlaps[anchor], -anchor))
    if spec.assigner == "neighbours":
        for place, index in enumerate(three_cells(centre, best, spec, size_hw)):
            yield index, min(place, 1)
        return
    for anchor in sorted(range(len(overlaps)), key=lambda anchor: -overlaps[anchor]):
        if anchor == best or overlaps[anchor] > 0.213:
            yield next(three_cells(centre, anchor, spec, size_hw)), int(anchor != best)


@pytest.mark.parametrize("size_hw", [(256, 416), (320, 320)])
@pytest.mark.parametrize(("assigner", "xy_scale"), [("neighbours", 2.0), ("overlap", 1.0)])
def test_equals_the_plain_loop(assigner, xy_scale, size_hw):
    spec = DetectionSpec(("cat", "dog"), assigner=assigner, xy_scales=(xy_scale,) * 3)
    centres, sides = random_boxes(60, size_hw, sum(size_hw))
    truth = Detections(corners(centres, sides), [1] * len(centres))
    rows = assign(truth, None, spec, size_hw)
    each = rows_per_object(spec)
    claims = [list(plain_claims(*box, spec, size_hw)) for box in zip(centres, sides)]
    held = iter(winners([claim for some in claims for claim in some]))
    for number, some in enumerate(claims):
        own = rows[each * number : each * (number + 1)]
        indices, weights = [index for index, _ in some], [float(next(held)) for _ in some]
        rest = each - len(some)
        assert own[:, INDEX].tolist() == indices + indices[:1] * rest
        assert own[:, WEIGHT].tolist() == weights + [0] * rest
        np.testing.assert_array_equal(own[:, BOX], truth.boxes[[number] * each])
    assert len(rows) == each * len(truth) and (rows[:, WEIGHT] > 0).sum() > 2 * len(truth)
    assert not all(winners([claim for some in claims for claim in some])), "no anchor is contested"


def test_each_cells_target_is_the_box():
    """With the range that the neighbours need, the decoded target of each row is the box."""
    size_hw = (256, 416)
    spec = DetectionSpec(("cat",), assigner="neighbours", xy_scales=(2, 2, 2))
    centres, sides = random_boxes(20, size_hw, 5)
    rows = assign(Detections(corners(centres, sides), [0] * 20), None, spec, size_hw)
    for row in rows.astype(float):
        anchor = max(n for n, plane in enumerate(planes(spec, size_hw)) if plane[3] <= row[INDEX])
        stride, columns, _, before = planes(spec, size_hw)[anchor]
        place = row[DELTAS][:2]
        assert 0 < place.min() and place.max() < 1
        deltas = np.array([[*np.log(place / (1 - place)), *row[DELTAS][2:]]])
        cell = np.array([divmod(int(row[INDEX]) - before, columns)[::-1]])
        wh = spec.flat_anchors[anchor : anchor + 1]
        decoded = YOLOv3BoxCoder.decode_array(deltas, cell, wh, np.array([stride]), 2)
        np.testing.assert_allclose(decoded[0], row[BOX], atol=2e-3)


@pytest.mark.parametrize(("assigner", "rows"), [("best_shape", 1), ("neighbours", 3), ("overlap", 9)])
def test_rows_of_an_object(assigner, rows):
    assert rows_per_object(DetectionSpec(("cat",), assigner=assigner)) == rows
