"""Transforms: pixels and boxes move together, and no other property of a box changes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gluon_yolo.data.transforms import (
    PRESETS,
    ColorDistort,
    Compose,
    LetterBox,
    RandomAffine,
    RandomCrop,
    RandomExpand,
    RandomFlip,
    Resize,
    ResizeRandomInterp,
    Transform,
    augmentation,
    auto_interpolation,
    light_train,
    resize,
    yolo3_train,
)
from gluon_yolo.data.transforms.view import AREA, CUBIC, LANCZOS, LINEAR, NEAREST, View
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError

# Six rectangles in an image 180 wide and 120 high; each has its own grey, which is its class.
BOXES = np.array(
    [
        [5, 8, 45, 50],
        [70, 4, 100, 55],
        [130, 10, 172, 30],
        [10, 70, 30, 115],
        [60, 66, 125, 110],
        [140, 60, 176, 118],
    ]
)
GREYS = np.array([60, 95, 130, 165, 200, 235])
GEOMETRY = {
    "expand": Compose(RandomExpand(probability=1), Resize()),
    "crop": Compose(RandomCrop(), Resize()),
    "flip both ways": Compose(RandomFlip(0.5, 0.5), Resize()),
    "resize": Resize(),
    "letterbox": LetterBox(),
    "scale and shift": Compose(RandomAffine((0.5, 2), 0.3), ResizeRandomInterp((NEAREST, LINEAR, AREA))),
    "yolo3": Compose(*yolo3_train().transforms[1:]),
    "light": Compose(*light_train(vertical_flip=True).transforms[1:]),
    "crop, then expand": Compose(RandomCrop(), RandomExpand(probability=1), RandomFlip(), Resize()),
}
TURNS = {
    "turn": Compose(RandomAffine((0.8, 1.3), 0.1, degrees=180), Resize(LINEAR)),
    "shear": Compose(
        RandomAffine((0.8, 1.3), 0.1, degrees=20, shear_degrees=30), RandomFlip(), Resize(LINEAR)
    ),
}


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def scene() -> tuple[np.ndarray, Detections]:
    """Six rectangles on black; class, weight and difficult mark of each follow from its grey."""
    image = np.zeros((120, 180, 3), dtype=np.uint8)
    for (x1, y1, x2, y2), grey in zip(BOXES, GREYS):
        image[y1:y2, x1:x2] = grey
    return image, Detections(BOXES, GREYS, GREYS / 255, GREYS % 2 == 0)


def one_white(seed: int) -> tuple[np.ndarray, Detections]:
    """One white rectangle on black, anywhere and of any size, in an image of any shape."""
    random = rng(seed)
    height, width = random.integers(40, 300, 2)
    x1, y1 = random.integers(2, width - 20), random.integers(2, height - 20)
    x2, y2 = random.integers(x1 + 8, width - 2), random.integers(y1 + 8, height - 2)
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[y1:y2, x1:x2] = 255
    return image, Detections([[x1, y1, x2, y2]], [0])


def white_extent(image: np.ndarray) -> np.ndarray:
    """Return the corners of the pixels that are more than half white."""
    rows, columns = np.nonzero(image.min(axis=2) > 127)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


@pytest.mark.parametrize("name", GEOMETRY)
@pytest.mark.parametrize("size_hw", [(96, 96), (64, 160), (416, 352)])
def test_drawn_rectangle_is_where_its_box_says(name: str, size_hw: tuple[int, int]) -> None:
    seen = 0
    for seed in range(40):
        image, truth = one_white(seed)
        drawn, kept = GEOMETRY[name](image, truth, rng(seed + 1000), size_hw)
        assert drawn.shape == (*size_hw, 3) and drawn.dtype == np.uint8
        if len(kept) and (kept.boxes[0, 2:] - kept.boxes[0, :2]).min() >= 3:
            seen += 1
            np.testing.assert_allclose(kept.boxes[0], white_extent(drawn), atol=1.01)
    assert seen > 20


@pytest.mark.parametrize("name", TURNS)
def test_turned_rectangle_just_fits_its_box(name: str) -> None:
    seen = 0
    for seed in range(40):
        image, truth = one_white(seed)
        view = TURNS[name].plan(image.shape[:2], truth, rng(seed), (256, 256))
        box, kept = view.boxes()[0], view.annotations()
        if len(kept) and (kept.boxes[0] == box.astype(np.float32)).all():  # completely inside
            seen += 1
            # A sharp corner of less than half a pixel's area is not drawn as white.
            np.testing.assert_allclose(box, white_extent(view.draw(image)), atol=2.5)
    assert seen > 10


@pytest.mark.parametrize("name", {**GEOMETRY, **TURNS})
def test_class_weight_and_mark_stay_with_their_box(name: str) -> None:
    image, truth = scene()
    transform = {**GEOMETRY, **TURNS}[name]
    for seed in range(30):
        view = transform.plan((120, 180), truth, rng(seed), (200, 240))
        drawn, kept = view.draw(image), view.annotations()
        corners = view.boxes()
        centers = (corners[:, :2] + corners[:, 2:]) / 2
        for box, grey, weight, difficult in zip(kept.boxes, kept.class_ids, kept.scores, kept.difficult):
            place = int(np.flatnonzero(grey == GREYS)[0])
            x, y = centers[place].astype(int)
            assert (box[:2] <= centers[place] + 1e-3).all() and (centers[place] <= box[2:] + 1e-3).all()
            if (box[2:] - box[:2]).min() > 6:  # large enough that interpolation does not reach its centre
                assert abs(int(drawn[y, x, 0]) - grey) <= 3
            assert weight == np.float32(grey / 255) and difficult == (grey % 2 == 0)
        inside = ((centers >= 0) & (centers < (240, 200))).all(axis=1)
        assert set(kept.class_ids) <= set(GREYS[inside])


def test_a_box_is_lost_by_the_stated_rule_only() -> None:
    cases = [
        # box in a frame 40 wide and 30 high, and the clipped box
        ([5, 5, 10, 10], [5, 5, 10, 10]),
        ([-9, 5, 10, 10], [0, 5, 10, 10]),  # centre just inside: kept, clipped
        ([-11, 5, 10, 10], None),  # centre just outside
        ([35, 5, 44, 10], [35, 5, 40, 10]),
        ([36, 5, 44, 10], None),  # centre on the far edge is outside
        ([0, -10, 40, 12], [0, 0, 40, 12]),
        ([5, 5, 10, 5.9], None),  # lower than a pixel
        ([5, 5, 10, 6], [5, 5, 10, 6]),
    ]
    view = View((30, 40), Detections([box for box, _ in cases], np.arange(len(cases))), (30, 40))
    expected = {number: left for number, (_, left) in enumerate(cases) if left is not None}
    kept = view.annotations()
    assert kept.class_ids.tolist() == list(expected)
    np.testing.assert_array_equal(kept.boxes, np.array(list(expected.values()), dtype=np.float32))


@pytest.mark.parametrize("interpolation", [NEAREST, LINEAR, CUBIC, AREA, LANCZOS])
@pytest.mark.parametrize("target_hw", [(64, 64), (200, 320), (40, 300)])
def test_one_drawing_equals_crop_resize_flip(interpolation: int, target_hw: tuple[int, int]) -> None:
    image = rng(0).integers(0, 256, (120, 180, 3), dtype=np.uint8)
    view = View((120, 180), Detections.empty(), target_hw)
    view.move(np.ones(2), (-30, -20), (90, 100))
    Compose(Resize(interpolation), RandomFlip(1, 1)).edit(view, rng(0))
    view.settle()
    expected = cv2.resize(image[20:110, 30:130], target_hw[::-1], interpolation=interpolation)[::-1, ::-1]
    np.testing.assert_array_equal(view.draw(image), expected)


def test_what_lies_outside_the_image_is_filled() -> None:
    image = np.full((20, 30, 3), 255, dtype=np.uint8)
    transform = Compose(ColorDistort(brightness=30), RandomExpand(probability=1, fill=(1, 2, 3)), Resize())
    filled = 0
    for seed in range(20):
        drawn, kept = transform(image, Detections([[0, 0, 30, 20]], [0]), rng(seed), (100, 100))
        x1, y1, x2, y2 = np.rint(kept.boxes[0]).astype(int)
        outside = np.ones((100, 100), dtype=bool)
        outside[y1:y2, x1:x2] = False
        filled += outside.any()
        assert (drawn[outside] == (1, 2, 3)).all()
        assert (drawn[y1:y2, x1:x2] > 20).any(axis=2).all()
    assert filled > 15


def test_letterbox_keeps_shape_and_centres() -> None:
    image = np.full((50, 100, 3), 255, dtype=np.uint8)
    drawn, kept = LetterBox(fill=(9, 9, 9))(image, Detections([[10, 0, 20, 50]], [0]), rng(0), (64, 64))
    np.testing.assert_allclose(kept.boxes, [[6.4, 16, 12.8, 48]], rtol=1e-6)
    assert (drawn[:16] == 9).all() and (drawn[48:] == 9).all() and (drawn[16:48] == 255).all()


def test_crop_holds_the_centre_of_a_box_and_expand_all_of_them() -> None:
    image, truth = scene()
    sides = []
    for seed in range(60):
        view = RandomCrop().plan((120, 180), truth, rng(seed), (0, 0))
        assert len(view.annotations()) >= 1
        assert view.size_hw[0] <= 120 and view.size_hw[1] <= 180
        assert view.draw(image).shape == (*view.size_hw, 3)
        sides.append(view.size_hw)
        assert len(RandomExpand()(image, truth, rng(seed), (0, 0))[1]) == 6
    assert len(set(sides)) > 10
    # No crop overlaps every box by 0.99, so only the whole frame is a candidate.
    whole = RandomCrop(min_ious=(0.99,)).plan((120, 180), truth, rng(0), (0, 0))
    assert whole.size_hw == (120, 180)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("source_hw", [(1, 1), (2, 300), (97, 61)])
def test_presets_take_any_image_without_boxes(name: str, source_hw: tuple[int, int]) -> None:
    image = np.full((*source_hw, 3), 77, dtype=np.uint8)
    for seed in range(20):
        drawn, kept = augmentation(name)(image, Detections.empty(), rng(seed), (32, 64))
        assert drawn.shape == (32, 64, 3) and len(kept) == 0


@pytest.mark.parametrize("name", PRESETS)
def test_same_seed_same_sample_whatever_it_is_drawn_into(name: str) -> None:
    image, truth = scene()
    before = image.copy()
    drawn, kept = augmentation(name)(image, truth, rng(5), (96, 96))
    batch = np.full((3, 96, 96, 3), 7, dtype=np.uint8)
    again, kept_again = augmentation(name)(image, truth, rng(5), (96, 96), out=batch[1])
    assert again.base is batch and (batch[[0, 2]] == 7).all()
    np.testing.assert_array_equal(batch[1], drawn)
    np.testing.assert_array_equal(kept.boxes, kept_again.boxes)
    np.testing.assert_array_equal(image, before)


def test_resize_picks_the_interpolation_of_gluoncv() -> None:
    cases = [
        # old, new, mxnet's rule for 9
        ((100, 100), (200, 101), CUBIC),
        ((100, 100), (99, 50), AREA),
        ((100, 100), (200, 50), LINEAR),
        ((100, 100), (100, 50), LINEAR),
        ((100, 100), (100, 200), LINEAR),
    ]
    image = rng(1).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    for old_hw, new_hw, expected in cases:
        assert auto_interpolation(old_hw, new_hw) == expected
        same = cv2.resize(image, new_hw[::-1], interpolation=expected)
        np.testing.assert_array_equal(resize(image, new_hw), same)
        np.testing.assert_array_equal(Resize()(image, Detections.empty(), rng(0), new_hw)[0], same)
    assert resize(image, (100, 100)) is image


def test_light_keeps_sizes_and_colours_near_the_truth() -> None:
    image, truth = scene()
    for seed in range(30):
        view = light_train().plan((120, 180), truth, rng(seed), (120, 180))
        assert 0.69 < view.matrix[1, 1] < 1.42
        assert view.matrix[1, 1] > 0  # never upside down
        drawn = view.draw(image)
        assert abs(drawn.mean() - image.mean()) < 60


def test_wrong_use_is_said() -> None:
    image, truth = scene()
    with pytest.raises(UserError, match="no augmentation is called 'moasic'.*yolo3, light"):
        augmentation("moasic")
    with pytest.raises(ValueError, match="out: the transform ends at shape"):
        RandomFlip()(image, truth, rng(0), (64, 64), out=np.zeros((64, 64, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match="picture: expected shape"):
        Resize().plan((10, 10), truth, rng(0), (64, 64)).draw(image)
    with pytest.raises(NotImplementedError):
        Transform()(image, truth, rng(0), (64, 64))
