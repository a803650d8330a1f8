"""Mosaic: four images in their quarters, each box where its object is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.data.transforms import Compose, LazyImage, Mosaic, RandomAffine, RandomFlip, Resize
from gluon_yolo.detections import Detections

GREYS = (90, 140, 190, 240)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def rectangles(seed: int) -> list[LazyImage]:
    """Four black images of any shape, each with one rectangle whose grey is its class."""
    random, images = rng(seed), []
    for grey in GREYS:
        height, width = random.integers(60, 300, 2)
        x1, y1 = random.integers(2, width - 40), random.integers(2, height - 40)
        x2, y2 = random.integers(x1 + 20, width - 2), random.integers(y1 + 20, height - 2)
        image = np.zeros((height, width, 3), dtype=np.uint8)
        image[y1:y2, x1:x2] = grey
        truth = Detections([[x1, y1, x2, y2]], [grey], [grey / 255], [grey == 140])
        images.append(LazyImage.of(image, truth))
    return images


def extent(drawn: np.ndarray, grey: int) -> np.ndarray:
    """Return the corners of the pixels with nearly this grey."""
    rows, columns = np.nonzero(np.abs(drawn.astype(int) - grey).max(axis=2) <= 12)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


@pytest.mark.parametrize("size_hw", [(128, 128), (96, 224), (320, 160)])
def test_each_rectangle_is_where_its_box_says(size_hw: tuple[int, int]) -> None:
    chain = Compose(RandomAffine((0.8, 1.2), 0.1, fill=(0, 0, 0)), RandomFlip(0.5, 0.5), Resize(0))
    mosaic, seen = Mosaic(chain, probability=1, scale=(0.5, 1.0)), 0
    for seed in range(40):
        drawn, kept = mosaic.render(rectangles(seed), rng(seed), size_hw)
        assert drawn.shape == (*size_hw, 3) and drawn.dtype == np.uint8
        assert len(set(kept.class_ids)) == len(kept)
        for box, grey, weight, difficult in zip(kept.boxes, kept.class_ids, kept.scores, kept.difficult):
            assert weight == np.float32(grey / 255) and difficult == (grey == 140)
            if (box[2:] - box[:2]).min() >= 4:
                seen += 1
                np.testing.assert_allclose(box, extent(drawn, grey), atol=1.01)
    assert seen > 60


def test_quarters_meet_at_the_drawn_centre_and_nothing_crosses() -> None:
    images = [
        LazyImage.of(np.full((50, 50, 3), grey, np.uint8), Detections([[0, 0, 50, 50]], [0]))
        for grey in GREYS
    ]
    mosaic = Mosaic(Resize(), probability=1, scale=(1, 1), center=(0.25, 0.75))
    centers = set()
    for seed in range(20):
        drawn, kept = mosaic.render(images, rng(seed), (64, 96))
        assert len(kept) <= 4
        x, y = int((drawn[0] == GREYS[0]).all(axis=1).sum()), int((drawn[:, 0] == GREYS[0]).all(axis=1).sum())
        assert 24 <= x <= 72 and 16 <= y <= 48
        centers.add((x, y))
        for grey, part in zip(GREYS, (drawn[:y, :x], drawn[:y, x:], drawn[y:, :x], drawn[y:, x:])):
            assert (part == grey).all()
    assert len(centers) > 15


def test_a_small_image_lies_at_the_common_point() -> None:
    images = [LazyImage.of(np.full((50, 50, 3), grey, np.uint8), Detections.empty()) for grey in GREYS]
    mosaic = Mosaic(Resize(), probability=1, scale=(0.2, 0.2), center=(0.5, 0.5))
    drawn, _ = mosaic.render(images, rng(0), (100, 100))
    assert [int(drawn[y, x, 0]) for x, y in ((49, 49), (50, 49), (49, 50), (50, 50))] == list(GREYS)
    assert sum(int((drawn == grey).all(axis=2).sum()) for grey in GREYS) == 4 * 20 * 20


def test_it_is_drawn_as_often_as_asked_and_else_is_its_chain() -> None:
    counts = [Mosaic(Resize(), probability=0.3).count(rng(seed)) for seed in range(400)]
    assert set(counts) == {1, 4} and 0.22 < counts.count(4) / 400 < 0.38
    image = rectangles(3)[0]
    alone = Mosaic(Resize()).render([image], rng(0), (64, 64))
    plain = Resize().render([image], rng(0), (64, 64))
    np.testing.assert_array_equal(alone[0], plain[0])
    np.testing.assert_array_equal(alone[1].boxes, plain[1].boxes)


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ValueError, match="scale: expected two ascending"):
        Mosaic(Resize(), scale=(0, 1))
    with pytest.raises(ValueError, match="center: expected two ascending"):
        Mosaic(Resize(), center=(0.7, 1.2))


def test_a_mosaic_holds_the_others_and_is_none_of_them() -> None:
    with pytest.raises(ValueError, match=r"Mosaic cannot be one of several; give it the others: Mosaic\("):
        Compose(Mosaic(Resize()), RandomFlip())
