"""Parsing of augmentations: valid texts, and the errors about invalid ones."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.data.transforms import (
    PRESETS,
    ColorDistort,
    Compose,
    LetterBox,
    Mosaic,
    RandomAffine,
    RandomFlip,
    Resize,
    ResizeRandomInterp,
    augmentation,
    keeps_shape,
)
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError
from gluon_yolo.inference.preprocess import Preprocess

LIGHT = [ColorDistort, RandomAffine, RandomFlip, ResizeRandomInterp]


def types(text: str) -> list[type]:
    chain = augmentation(text)
    chain = chain.tile if isinstance(chain, Mosaic) else chain
    return [type(step) for step in (chain.transforms if isinstance(chain, Compose) else [chain])]


def test_a_text_is_its_steps_in_order() -> None:
    cases = [
        # text, the chain's steps
        ("none", [Resize]),
        ("resize", [Resize]),
        ("light", LIGHT),
        (" light , ", LIGHT),
        ("flip", [RandomFlip, Resize]),  # stretched at the end when no step resizes
        ("color,flip,letterbox", [ColorDistort, RandomFlip, LetterBox]),
        ("letterbox,flip", [LetterBox, RandomFlip]),  # at its written place
        ("light,letterbox", [*LIGHT[:3], LetterBox]),  # the last resizing step counts
        ("mosaic,light", LIGHT),
        ("light,mosaic", LIGHT),
        ("mosaic", [Resize]),
    ]
    for text, expected in cases:
        assert types(text) == expected, text
        assert isinstance(augmentation(text), Mosaic) == ("mosaic" in text)


def test_arguments_reach_their_transform() -> None:
    chain = augmentation("affine( degrees = 10 , scale=0.5:1.5 ),color(hue_degrees=9.5),flip(vertical=0.5)")
    affine, color, flip, _ = chain.transforms
    assert (affine.degrees, affine.scale, affine.translate) == (10, (0.5, 1.5), 0.1)
    assert (color.hue_degrees, flip.vertical) == (9.5, 0.5)
    mosaic = augmentation("light,mosaic(probability=0.25,center=0.4:0.6)")
    assert (mosaic.probability, mosaic.center) == (0.25, (0.4, 0.6))


def test_what_is_not_understood_is_said() -> None:
    cases = [
        # text, part of the message
        ("", "expected names with commas between"),
        ("light;flip", "'light;flip' is not understood"),
        ("affine(degrees=10", "is not understood"),
        (
            "moasic,light",
            "no augmentation is called 'moasic'; did you mean mosaic. the presets.*yolo3, light",
        ),
        ("light(scale=1)", "the preset light takes no arguments"),
        (
            "affine(degree=10)",
            "affine has no 'degree'; did you mean degrees. it has scale, translate, degrees",
        ),
        ("affine(degrees=ten)", "degrees=ten: expected one number"),
        ("affine(degrees=nan)", "degrees=nan: expected one number"),
        ("affine(scale=0.5)", "scale=0.5: expected numbers with colons between"),
        ("affine(scale=2:1)", "affine: scale: expected two ascending numbers"),
        ("color(contrast=1.5:0.5)", "color: contrast: expected two ascending numbers"),
        ("color(hue_degrees=-9)", "color: hue_degrees: expected a number from 0 on, got -9"),
        ("affine(fill=1:2)", "affine: fill: expected three levels"),
        ("crop(trials=0)", "crop: trials: expected a number from 1 on, got 0"),
        ("crop(trials=2.5)", "crop: trials: expected whole numbers"),
        ("flip(vertical=1.5)", "flip: vertical: expected a number from 0 to 1"),
        ("resize(interpolation=10)", "resize: interpolation: expected whole numbers from 0 to 9"),
        ("mosaic(tile=light)", "mosaic has no 'tile'"),
        ("mosaic,mosaic", "mosaic is there twice"),
    ]
    for text, message in cases:
        with pytest.raises(UserError, match=message):
            augmentation(text)


def test_letterboxed_training_is_known_and_is_the_evaluations() -> None:
    assert keeps_shape(augmentation("mosaic,light,letterbox"))
    assert not any(keeps_shape(augmentation(name)) for name in PRESETS)
    random = np.random.default_rng(0)
    for _ in range(30):
        height, width = random.integers(20, 400, 2)
        image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        truth = Detections([[3, 4, width - 2, height - 5]], [0])
        drawn, kept = LetterBox()(image, truth, random, (96, 128))
        fitted, undo = Preprocess("letterbox")(image, (96, 128))
        np.testing.assert_array_equal(drawn, fitted)
        np.testing.assert_allclose(undo(kept.boxes), truth.boxes, atol=1e-3)
