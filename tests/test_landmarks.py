"""LandmarkSpec: crops about a face's box, points back to the image, the groups of 106 points."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.landmarks import GROUPS_106, LandmarkSpec

SPEC = LandmarkSpec.of(106, (112, 112))


@pytest.mark.parametrize(
    ("box", "crop"),
    (
        ([100, 100, 200, 300], [95, 130, 205, 310]),  # 150 -+ 55; 200 - 70, 200 + 110
        ([100.9, 100.9, 200.9, 300.9], [95, 130, 205, 310]),  # rounded down
        ([-40, -60, 60, 40], [0, 0, 65, 45]),  # cut at the left and above
        ([380, 250, 480, 350], [375, 265, 400, 320]),  # at the right and below
        ([500, 500, 600, 600], [399, 319, 400, 320]),  # outside: a pixel is left
        ([7, 7, 7, 7], [7, 7, 8, 8]),
    ),
)
def test_crops(box, crop):
    assert SPEC.crops(np.array([box]), (320, 400)).tolist() == [crop]


def test_no_boxes_give_no_crops():
    assert SPEC.crops(np.zeros((0, 4)), (320, 400)).shape == (0, 4)


def test_points_are_shares_of_their_crop():
    spec = LandmarkSpec.of(2, (8, 8))
    points = spec.points(np.array([[0, 0, 0.5, 1], [-0.25, 1.5, 1, 0.25]]), np.array([[10, 20, 30, 60]] * 2))
    assert points.tolist() == [[[10, 20], [20, 60]], [[5, 80], [30, 30]]]


def test_each_of_106_points_is_in_one_group():
    assert sorted(point for points in GROUPS_106.values() for point in points) == list(range(106))
    assert LandmarkSpec.of(68, (112, 112)).groups == {}


def test_a_spec_comes_back_from_its_dict():
    assert LandmarkSpec.from_dict(SPEC.to_dict(), SPEC.size_hw) == SPEC


@pytest.mark.parametrize(
    "wrong",
    ({"num_points": 0}, {"size_hw": (0, 8)}, {"groups": {"nose": (3,)}}, {"reach": (0, 1, 0, 1)}),
)
def test_a_spec_is_checked(wrong):
    with pytest.raises(ValueError):
        LandmarkSpec(**{"num_points": 3, "size_hw": (8, 8), **wrong})
