"""Landmarks drawn on an image."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.drawing.landmarks import COLOURS, draw_landmarks, point_colours


@pytest.mark.parametrize(("side", "cells"), ((20, 1), (180, 19)))
def test_dots_have_the_colours_of_their_groups(side, cells):
    """Dots of a small face are pixels; those of a large one have a ninetieth of its side as radius."""
    groups = {"contour": (0,), "brows": (2,)}
    assert point_colours(4, groups) == [COLOURS[0], COLOURS[-1], COLOURS[1], COLOURS[-1]]
    points = np.array([[[10, 10], [10 + side, 10], [10, 10 + side], [10 + side, 10.0 + side]]])
    image = np.zeros((side + 20, side + 20, 3), np.uint8)
    drawn = draw_landmarks(image, points, groups)
    assert not image.any() and drawn.any(axis=2).sum() >= 4 * cells
    assert cells > 1 or drawn.any(axis=2).sum() == 4
    for (x, y), colour in zip(points[0].astype(int), point_colours(4, groups)):
        assert tuple(drawn[y, x]) == colour


def test_dots_at_the_border_are_cut():
    points = np.array([[[-1, 5], [0, 5], [9, 9], [10, 5.0]]])
    drawn = draw_landmarks(np.zeros((10, 10, 3), np.uint8), points, {})
    assert np.argwhere(drawn.any(axis=2)).tolist() == [[5, 0], [9, 9]]


def test_dots_far_outside_of_the_image_are_left_out():
    image = np.zeros((40, 40, 3), np.uint8)
    assert not draw_landmarks(image, np.array([[[1e9, 3], [-1e12, -1e12]]]), {}).any()
    assert not draw_landmarks(image, np.zeros((0, 106, 2)), {}).any()
