"""Candidates of dynamic assignment: by hand, and against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.assigners import BOX, DELTAS, INDEX, WEIGHT, assign, rows_per_object
from gluon_yolo.detections import Detections
from gluon_yolo.spec import DetectionSpec
from tests.assigners.plain import corners, random_boxes, shape_overlaps, three_cells

ANCHORS = (((20, 20), (30, 60)), ((60, 40),))  # strides 16 and 32
SPEC = DetectionSpec(("cat", "dog"), ANCHORS, (16, 32), assigner="dynamic", xy_scales=(2, 2))


def test_candidates_by_hand():
    """A box of 30x60 in the upper left of cell (2, 1) at stride 16, (1, 0) at stride 32; maps of 4x6, 2x3."""
    boxes = corners(np.array([[35.0, 20.0]]), np.array([[30.0, 60.0]]))
    rows = assign(Detections(boxes, [1]), None, SPEC, (64, 96))
    # shape overlaps 0.222, 1, 0.4: the second anchor first, then the coarse level's, then the first
    tall, wide, square = (24 + 8, 24 + 7, 24 + 2), (48 + 1, 48, 48 + 3 + 1), (8, 7, 2)
    assert rows[:, INDEX].tolist() == [*tall, *wide, *square]
    assert (rows[:, WEIGHT] == 1).all() and (rows[:, DELTAS][:, :2] > 0).all()


@pytest.mark.parametrize("levels", [1, 3])
@pytest.mark.parametrize("size_hw", [(256, 416), (96, 96)])
def test_equals_the_plain_loop(levels, size_hw):
    """Every candidate keeps its object's weight, also where two objects share it."""
    usual = DetectionSpec(("cat",))
    anchors = usual.anchors if levels == 3 else (usual.anchors[1][:2],)
    strides = (8, 16, 32) if levels == 3 else (16,)
    spec = DetectionSpec(("cat",), anchors, strides, assigner="dynamic", xy_scales=(2,) * levels)
    assert rows_per_object(spec) == (12 if levels == 3 else 6)
    centres, sides = random_boxes(40, size_hw, levels)
    weights = np.linspace(0, 1, 40)
    truth = Detections(corners(centres, sides), [0] * 40)
    rows = assign(truth, weights, spec, size_hw).reshape(40, rows_per_object(spec), -1)
    for box, (own, centre, side) in enumerate(zip(rows, centres, sides)):
        overlaps = shape_overlaps(side, spec)
        nearest = sorted(range(len(overlaps)), key=lambda anchor: -overlaps[anchor])[:4]
        expected = [index for anchor in nearest for index in three_cells(centre, anchor, spec, size_hw)]
        rest = len(own) - len(expected)
        assert own[:, INDEX].tolist() == expected + expected[:1] * rest
        np.testing.assert_allclose(own[:, WEIGHT], [weights[box]] * len(expected) + [0] * rest)
        np.testing.assert_array_equal(own[:, BOX], truth.boxes[[box] * len(own)])
    held = rows[rows[..., WEIGHT] > 0][:, INDEX]
    assert len(set(held)) < len(held), "no anchor is a candidate of two objects"
