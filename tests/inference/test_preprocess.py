"""Preprocess: images resized as in GluonCV's validation, and boxes back."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.inference.preprocess import GREY, Preprocess, resize


@pytest.mark.parametrize("mode", ["resize", "letterbox", "darknet"])
@pytest.mark.parametrize("image_hw", [(50, 100), (100, 50), (64, 64), (200, 640), (1, 1)])
def test_boxes_come_back(mode: str, image_hw: tuple[int, int]) -> None:
    height, width = image_hw
    fitted, undo = Preprocess(mode)(np.full((*image_hw, 3), 200, dtype=np.uint8), (64, 96))
    assert fitted.shape == (64, 96, 3) and fitted.dtype == np.uint8
    rows, columns = np.nonzero(fitted[:, :, 0] != GREY)
    whole = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]])
    assert undo(whole) == pytest.approx(np.array([[0, 0, width, height]]), abs=1e-4)
    middle = (whole[:, :2] + whole[:, 2:]) / 2
    expected = np.array([[width / 2, height / 2, width, height]])
    # A corner outside the image is clipped to its edge.
    assert undo(np.concatenate([middle, [[500, 500]]], axis=1)) == pytest.approx(expected, abs=1e-4)
    assert undo(np.zeros((0, 4))).shape == (0, 4)


def test_letterbox_keeps_proportions() -> None:
    fitted, undo = Preprocess("letterbox")(np.zeros((50, 100, 3), dtype=np.uint8), (100, 100))
    assert (fitted[:25] == GREY).all() and (fitted[75:] == GREY).all() and (fitted[25:75] == 0).all()
    assert undo(np.array([[0, 25, 100, 75]])).tolist() == [[0, 0, 100, 50]]


@pytest.mark.parametrize("new_hw", [(40, 60), (160, 200), (40, 200), (100, 130), (100, 60)])
def test_equals_what_gluoncv_validates_with(new_hw: tuple[int, int]) -> None:
    compat = pytest.importorskip("gluon_yolo.mxnet_compat")
    compat.gluoncv()
    from gluoncv.data.transforms.image import imresize

    image = np.random.default_rng(0).integers(0, 256, (100, 130, 3)).astype(np.uint8)
    pixels = compat.nd.array(image, dtype="uint8")
    theirs = imresize(pixels, new_hw[1], new_hw[0], interp=9).asnumpy()
    difference = np.abs(resize(image, new_hw).astype(int) - theirs)
    assert difference.max() <= 2 and difference.mean() < 0.1


def test_darknets_stretch_is_worked_out_by_hand() -> None:
    """Corner pixels are aligned: 3 columns from 5 are every other one, 4 rows from 2 are in thirds."""
    image = np.repeat(np.array([[0, 10, 20, 30, 40], [90, 100, 110, 120, 130]], np.uint8)[..., None], 3, 2)
    fitted, undo = Preprocess("darknet")(image, (4, 3))
    assert fitted[..., 1].tolist() == [[0, 20, 40], [30, 50, 70], [60, 80, 100], [90, 110, 130]]
    assert undo(np.array([[0, 0, 3, 4]])).tolist() == [[0, 0, 5, 2]]


def test_darknet_does_not_smooth_what_it_shrinks() -> None:
    stripes = np.zeros((9, 9, 3), np.uint8)
    stripes[:, ::2] = 255
    assert (Preprocess("darknet")(stripes, (5, 5))[0] == 255).all()
    assert 0 < Preprocess("resize")(stripes, (5, 5))[0].mean() < 255


def test_refuses_an_unknown_mode() -> None:
    with pytest.raises(ValueError, match="letterbox"):
        Preprocess("squeeze")
