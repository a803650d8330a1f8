"""Landmarks drawn on an image."""

from __future__ import annotations

import numpy as np

from gluon_yolo.drawing.landmarks import COLOURS, draw_landmarks, point_colours


def test_dots_have_the_colours_of_their_groups():
    groups = {"contour": (0,), "brows": (2,)}
    assert point_colours(4, groups) == [COLOURS[0], COLOURS[-1], COLOURS[1], COLOURS[-1]]
    points = np.array([[[10, 10], [30, 10], [10, 30], [30, 30.0]]])
    image = np.zeros((40, 40, 3), np.uint8)
    drawn = draw_landmarks(image, points, groups)
    assert not image.any() and drawn[20, 20].tolist() == [0, 0, 0]
    for (x, y), colour in zip(points[0].astype(int), point_colours(4, groups)):
        assert tuple(drawn[y, x]) == colour


def test_dots_far_outside_of_the_image_are_left_out():
    image = np.zeros((40, 40, 3), np.uint8)
    assert not draw_landmarks(image, np.array([[[1e9, 3], [-1e12, -1e12]]]), {}).any()
    assert not draw_landmarks(image, np.zeros((0, 106, 2)), {}).any()
