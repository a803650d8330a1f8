"""ColorDistort: each part keeps its invariant, and all together equal the formula in float."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gluon_yolo.data.transforms import ColorDistort, Compose, Resize
from gluon_yolo.data.transforms.color import hue_matrix, saturation_matrix
from gluon_yolo.data.transforms.view import LINEAR
from gluon_yolo.detections import Detections


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_saturation_and_hue_keep_what_they_must() -> None:
    grey = np.array([80.0, 80.0, 80.0])
    red = np.array([200.0, 20.0, 40.0])
    luma = np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(saturation_matrix(0) @ red, np.full(3, luma @ red))
    np.testing.assert_allclose(saturation_matrix(1), np.eye(3), atol=1e-12)
    np.testing.assert_allclose(saturation_matrix(1.5) @ grey, grey)
    np.testing.assert_allclose(hue_matrix(0), np.eye(3), atol=1e-12)
    np.testing.assert_allclose(hue_matrix(1.0) @ hue_matrix(-1.0), np.eye(3), atol=1e-12)
    assert luma @ hue_matrix(2.0) @ red == pytest.approx(luma @ red)
    np.testing.assert_allclose(hue_matrix(2.0) @ grey, grey, atol=0.5)  # NTSC's numbers are rounded


def test_color_is_the_float_formula_rounded_once() -> None:
    image = rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    changed = 0
    for seed in range(60):
        view = ColorDistort(brightness=32, contrast=(1.4, 1.4), saturation=(0.6, 0.6), hue_degrees=0).plan(
            (40, 50), Detections.empty(), rng(seed), (0, 0)
        )
        if view.color is None:
            continue
        # With contrast and saturation fixed, the matrix shows which parts were chosen, and the shift.
        contrast = 1.4 if view.color[:, :3].sum(axis=1)[0] > 1.2 else 1.0
        saturation = 1.0 if abs(view.color[0, 1]) < 1e-9 else 0.6
        shift = view.color[0, 3] / contrast
        assert abs(shift) <= 32
        expected = (image + shift) * contrast
        expected = expected * saturation + (1 - saturation) * (expected @ [0.299, 0.587, 0.114])[..., None]
        np.testing.assert_allclose(view.draw(image), expected.clip(0, 255), atol=1)
        changed += 1
    assert changed > 40


def test_color_commutes_with_the_resize() -> None:
    image = cv2.GaussianBlur(rng(0).integers(0, 256, (120, 180, 3), dtype=np.uint8), (5, 5), 0)
    for target_hw in ((60, 90), (300, 400)):  # colour after the resize, and before it
        view = Compose(ColorDistort(), Resize(LINEAR)).plan((120, 180), Detections.empty(), rng(3), target_hw)
        small = cv2.resize(image.astype(np.float32), target_hw[::-1])
        assert view.color is not None
        expected = (small @ view.color[:, :3].T + view.color[:, 3]).clip(0, 255)
        assert np.abs(view.draw(image) - expected).mean() < 1
