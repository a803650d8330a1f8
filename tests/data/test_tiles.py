"""Tiles: where an image is cut."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.data.tiles import Tiling
from gluon_yolo.errors import SettingError


@pytest.mark.parametrize(
    ("image_hw", "tile", "overlap", "lefts", "tops"),
    [
        ((640, 640), 640, 0.2, [0], [0]),  # an image of one tile
        ((100, 300), 640, 0.2, [0], [0]),  # smaller than a tile
        ((640, 641), 640, 0.2, [0, 1], [0]),  # a pixel more
        ((640, 1152), 640, 0.2, [0, 512], [0]),  # exactly two
        ((640, 1153), 640, 0.2, [0, 256, 513], [0]),  # spread evenly
        ((700, 64), 640, 0.0, [0], [0, 60]),
        ((1280, 1280), 640, 0.0, [0, 640], [0, 640]),
        ((96, 128), (64, 96), 0.5, [0, 32], [0, 32]),  # height first
    ],
)
def test_windows(image_hw, tile, overlap, lefts, tops):
    windows = Tiling.of(tile, overlap).windows(image_hw)
    corners = [(left, top) for top in tops for left in lefts]
    assert [tuple(corner) for corner in windows[:, :2].tolist()] == corners
    height, width = (min(tile_side, side) for tile_side, side in zip(Tiling.of(tile).size_hw, image_hw))
    assert (windows[:, 2:] - windows[:, :2] == (width, height)).all()


def test_every_image_is_covered_with_the_overlap_that_is_asked_for():
    rng = np.random.default_rng(0)
    for _ in range(200):
        side, tile = int(rng.integers(1, 2000)), int(rng.integers(32, 700))
        overlap = float(rng.choice([0, 0.1, 0.2, 0.5, 0.9]))
        windows = Tiling.of(tile, overlap).windows((side, 10))
        assert windows[0, 1] == 0 and windows[-1, 3] == side and (windows[:, 2] == 10).all()
        shared = windows[:-1, 3] - windows[1:, 1]
        assert (shared >= overlap * tile - 1e-6).all() and (np.diff(windows[:, 1]) > 0).all()


@pytest.mark.parametrize(
    ("tile", "overlap", "message"),
    [
        (16, 0.2, "^tile 16: expected 32 or more$"),
        ("640x", 0.2, "^tile '640x': expected pixels as 416 or, height first, 320x416$"),
        (640, 1.0, "^overlap 1.0: must lie within 0 and 0.9$"),
        (640, -0.1, "^overlap -0.1: must lie within 0 and 0.9$"),
        (640, float("nan"), "^overlap nan: must lie within 0 and 0.9$"),
    ],
)
def test_what_is_wrong_is_said(tile, overlap, message):
    with pytest.raises(SettingError, match=message):
        Tiling.of(tile, overlap)


def test_too_many_tiles_are_refused():
    message = "^tile 32: cuts a picture of 8000x6000 into 47,000 tiles, more than 10,000; give larger tiles"
    with pytest.raises(SettingError, match=message):
        Tiling.of(32, 0).windows((6000, 8000))
