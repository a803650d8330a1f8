"""CutOut: the hidden squares of an image, and the objects that are hidden with them."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.data.transforms import CutOut, LazyImage, View, augmentation
from gluon_yolo.data.transforms.view import GREY
from gluon_yolo.detections import Detections

WHITE = np.full((100, 200, 3), 255, np.uint8)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_squares_by_hand():
    """Sides are relative to the shorter side, and a square at the border is cut off."""
    view = View((100, 200), Detections.empty(), (100, 200))
    view.holes = [(0.5, 0.5, 0.2), (0, 1, 0.4)]
    drawn = view.draw(WHITE)
    expected = WHITE.copy()
    expected[40:60, 90:110] = GREY
    expected[80:100, 0:20] = GREY
    np.testing.assert_array_equal(drawn, expected)


# box, whether it stays, with columns 90 to 110 and rows 40 to 60 hidden
BOXES = [
    ((90, 40, 110, 60), False),  # all of it
    ((90, 40, 110, 80), True),  # half
    ((90, 40, 110, 73), False),  # 20 / 33 = 0.606
    ((90, 40, 110, 74), True),  # 20 / 34 = 0.588
    ((0, 0, 80, 30), True),
    ((60, 20, 140, 90), True),  # the hole is inside of it
]


def test_objects_that_are_mostly_hidden_go():
    truth = Detections([box for box, _ in BOXES], range(len(BOXES)))
    view = View((100, 200), truth, (100, 200))
    view.holes = [(0.5, 0.5, 0.2)]
    left = [number for number, (_, stays) in enumerate(BOXES) if stays]
    assert view.annotations().class_ids.tolist() == left
    view.holes = [(0.5, 0.5, 0.2)] * 3  # what is hidden several times counts once
    assert view.annotations().class_ids.tolist() == left
    view.holes = []
    assert len(view.annotations()) == len(BOXES)


def test_how_often_and_how_large():
    cut = CutOut(probability=0.3, squares=2, side=(0.2, 0.5))
    counts, holes = [], []
    for seed in range(500):
        view = cut.plan((100, 200), Detections.empty(), rng(seed), (100, 200))
        counts.append(len(view.holes))
        holes += view.holes
    assert set(counts) == {0, 2} and 0.25 < np.mean(counts) / 2 < 0.35
    x, y, sides = np.array(holes).T
    assert 0.2 <= sides.min() < 0.25 and 0.45 < sides.max() <= 0.5
    assert min(x.min(), y.min()) < 0.05 and max(x.max(), y.max()) > 0.95


def test_by_its_name_after_other_transforms():
    """The squares are in the drawn frame, and the same random numbers draw the same ones."""
    transform = augmentation("flip,cutout(probability=1,squares=3,side=0.2:0.2),resize")
    truth = Detections([[0, 0, 10, 10]], [0])
    one, _ = transform(WHITE, truth, rng(1), (64, 64))
    other, _ = transform(WHITE, truth, rng(1), (64, 64))
    np.testing.assert_array_equal(one, other)
    hidden = (one == GREY).all(axis=2)
    assert 0 < hidden.sum() <= 3 * 13 * 13 and (one[~hidden] == 255).all()


def test_in_a_mosaic_each_quarter_has_its_own():
    transform = augmentation(
        "mosaic(probability=1,scale=1:1,center=0.5:0.5),cutout(probability=1,side=0.5:0.5)"
    )
    drawn, _ = transform.render(
        [LazyImage.of(WHITE, Detections.empty())] * transform.count(rng(0)),
        rng(2),
        (64, 64),
        np.empty((64, 64, 3), np.uint8),
    )
    hidden = (drawn == GREY).all(axis=2)
    quarters = [hidden[:32, :32], hidden[:32, 32:], hidden[32:, :32], hidden[32:, 32:]]
    assert all(0 < quarter.sum() <= 16 * 16 for quarter in quarters)


@pytest.mark.parametrize(
    "wrong", [{"probability": 1.5}, {"squares": -1}, {"side": (0.4, 0.1)}, {"side": (0.5, 2)}], ids=str
)
def test_wrong_arguments(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CutOut(**wrong)
