"""Tiled detection: each object once, as large as it is, wherever the tiles' edges are."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.boxes import iou_matrix
from gluon_yolo.data.tiles import Tiling
from gluon_yolo.detections import Detections
from gluon_yolo.errors import SettingError
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.inference.tiles import merge
from gluon_yolo.nms import nms
from tests.inference.components import SPEC, apart, components, spots

LEFT, RIGHT = (0, 0, 100, 100), (80, 0, 180, 100)  # two tiles of an image of 180x100, which share 20 columns
IMAGE_HW = (100, 180)


def merged(*tiles, windows=(LEFT, RIGHT), image_hw=IMAGE_HW, threshold=0.45, agnostic=False, most=100):
    """Merge rows (x1, y1, x2, y2, score, class id) of each tile, in the image's pixels."""
    found = [
        Detections(
            np.reshape(rows, (-1, 6))[:, :4], np.reshape(rows, (-1, 6))[:, 5], np.reshape(rows, (-1, 6))[:, 4]
        )
        for rows in tiles
    ]
    chosen = merge(found, np.array(windows), image_hw, threshold, agnostic, most)
    boxes, scores, class_ids = chosen.found.boxes, chosen.found.scores, chosen.found.class_ids
    rows = [(*box, round(float(s), 3), int(c)) for box, s, c in zip(boxes.tolist(), scores, class_ids)]
    return rows, chosen.left_out


CASES = {
    "nothing": ([], [], []),
    "one": ([(10, 10, 30, 30, 0.8, 0)], [], [(10, 10, 30, 30, 0.8, 0)]),
    "seen whole by both": (
        [(84, 10, 96, 30, 0.8, 0)],
        [(84, 11, 96, 31, 0.9, 0)],
        [(84, 11, 96, 31, 0.9, 0)],
    ),
    "cut by one, whole in the other, which scores less": (
        [(85, 10, 100, 40, 0.9, 0)],
        [(85, 10, 140, 40, 0.6, 0)],
        [(85, 10, 140, 40, 0.6, 0)],
    ),
    "cut to a sliver": (
        [(97, 10, 100, 40, 0.5, 0)],
        [(97, 10, 150, 40, 0.8, 0)],
        [(97, 10, 150, 40, 0.8, 0)],
    ),
    "the part is seen too small": (  # the half of what is there, which is an IoU of 0.38 with it
        [(88, 10, 100, 24, 0.6, 0)],
        [(85, 10, 140, 40, 0.8, 0)],
        [(85, 10, 140, 40, 0.8, 0)],
    ),
    "larger than the overlap": (
        [(40, 10, 100, 60, 0.7, 0)],
        [(80, 10, 150, 60, 0.9, 0)],
        [(40, 10, 150, 60, 0.9, 0)],
    ),
    "a whole one with a poor score is no reason to drop a cut one": (
        [(85, 10, 99.5, 40, 0.9, 0)],
        [(85, 10, 104, 40, 0.2, 0)],
        [(85, 10, 99.5, 40, 0.9, 0)],
    ),
    "another class": (
        [(85, 10, 100, 40, 0.9, 0)],
        [(85, 10, 140, 40, 0.6, 1)],
        [(85, 10, 100, 40, 0.9, 0), (85, 10, 140, 40, 0.6, 1)],
    ),
    "a small object before a large one": (  # the small one is cut by nothing
        [(86, 15, 94, 25, 0.9, 0)],
        [(85, 10, 140, 40, 0.6, 0)],
        [(86, 15, 94, 25, 0.9, 0), (85, 10, 140, 40, 0.6, 0)],
    ),
    "neighbours in a row, each cut": (
        [(60, 10, 100, 30, 0.9, 0), (60, 50, 100, 70, 0.8, 0)],
        [(80, 10, 120, 30, 0.7, 0), (80, 50, 130, 70, 0.6, 0)],
        [(60, 10, 120, 30, 0.9, 0), (60, 50, 130, 70, 0.8, 0)],
    ),
    "two of one tile stay two": (
        [(50, 10, 100, 40, 0.9, 0), (77, 12, 100, 42, 0.8, 0)],
        [(80, 10, 130, 41, 0.7, 0)],
        [(50, 10, 130, 40, 0.9, 0), (77, 12, 100, 42, 0.8, 0)],
    ),
    "the image's edge cuts nothing": (  # the other would be preferred to a cut one
        [(85, 0, 96, 30, 0.9, 0)],
        [(85, 2, 96, 30, 0.6, 0)],
        [(85, 0, 96, 30, 0.9, 0)],
    ),
    "at two edges of the image": (
        [(0, 10, 20, 40, 0.9, 0)],
        [(160, 10, 180, 40, 0.8, 0)],
        [(0, 10, 20, 40, 0.9, 0), (160, 10, 180, 40, 0.8, 0)],
    ),
}


@pytest.mark.parametrize(("left", "right", "expected"), CASES.values(), ids=CASES)
def test_two_tiles(left, right, expected):
    assert merged(left, right) == (expected, 0.0)
    back = merged(right, left, windows=(RIGHT, LEFT))[0]
    assert back == expected


def test_between_classes():
    left, right = [(85, 10, 100, 40, 0.9, 0)], [(85, 10, 140, 40, 0.6, 1)]
    assert merged(left, right, agnostic=True)[0] == [(85, 10, 140, 40, 0.6, 1)]


@pytest.mark.parametrize("threshold", [0, 1])
def test_without_suppression_all_boxes_are_kept(threshold):
    left, right = [(85, 10, 100, 40, 0.6, 0)], [(85, 10, 140, 40, 0.9, 0)]
    assert merged(left, right, threshold=threshold)[0] == [*right, *left]


def test_an_object_over_three_tiles_and_over_four():
    row = ((0, 0, 100, 100), (80, 0, 180, 100), (160, 0, 260, 100))
    parts = [[(30, 10, 100, 60, 0.5, 0)], [(80, 10, 180, 60, 0.9, 0)], [(160, 10, 200, 60, 0.7, 0)]]
    assert merged(*parts, windows=row, image_hw=(100, 260))[0] == [(30, 10, 200, 60, 0.9, 0)]
    four = ((0, 0, 100, 100), (80, 0, 180, 100), (0, 80, 100, 180), (80, 80, 180, 180))
    whole = (30, 20, 150, 160)
    parts = [
        [(max(whole[0], x1), max(whole[1], y1), min(whole[2], x2), min(whole[3], y2), 0.5 + i / 10, 0)]
        for i, (x1, y1, x2, y2) in enumerate(four)
    ]
    assert merged(*parts, windows=four, image_hw=(180, 180))[0] == [(*whole, 0.8, 0)]


def test_the_limit_is_that_of_the_image():
    rows = [(x, 10, x + 5, 15, 0.9 - x / 1000, 0) for x in range(0, 70, 10)]
    more = [(x, 10, x + 5, 15, 0.9 - x / 1000, 0) for x in range(110, 170, 10)]
    found, left_out = merged(rows, more, most=9)
    assert [row[0] for row in found] == [0, 10, 20, 30, 40, 50, 60, 110, 120]
    assert left_out == pytest.approx(0.77)


def seen(rng, boxes, class_ids, windows):
    """Return what an able detector finds in each tile: each object's part, some pixel off, with any score."""
    found = []
    for window in windows:
        low, high = np.maximum(boxes[:, :2], window[:2]), np.minimum(boxes[:, 2:], window[2:])
        there = (high - low >= 3).all(axis=1)
        parts = np.concatenate([low, high], axis=1)[there].astype(float)
        small = np.minimum(1, 0.1 * (parts[:, 2:] - parts[:, :2]))
        parts += rng.uniform(-0.6, 0.6, parts.shape) * np.tile(small, 2)
        parts = np.clip(parts, np.tile(window[:2], 2), np.tile(window[2:], 2))
        found.append(Detections(parts, class_ids[there], rng.uniform(0.35, 0.6, len(parts))))
    return found


def once_each(found: Detections, boxes: np.ndarray, class_ids: np.ndarray) -> bool:
    """Return whether there is one box for each object, where the object is."""
    if len(found) != len(boxes):
        return False
    overlaps = iou_matrix(found.boxes, boxes.astype(np.float32)) * (found.class_ids[:, None] == class_ids)
    return bool((overlaps.max(axis=0) > 0.7).all() and len(set(overlaps.argmax(axis=0))) == len(boxes))


def scenes():
    """Yield random objects, from small to larger than a tile, and random tiles."""
    rng = np.random.default_rng(7)
    for _ in range(60):
        image_hw = tuple(rng.integers(150, 900, 2).tolist())
        tiling = Tiling(tuple(rng.integers(64, 320, 2).tolist()), float(rng.uniform(0.1, 0.6)))
        boxes = apart(rng, image_hw, (8, 400), 25)
        yield rng, image_hw, tiling, boxes, rng.integers(0, 2, len(boxes))


@pytest.mark.parametrize("whole", [False, True])
def test_no_object_is_doubled_at_a_seam(whole):
    """The property: an object that the tiles see is one box, whatever its size, place, and the tiles."""
    seams = 0
    for rng, image_hw, tiling, boxes, class_ids in scenes():
        windows = tiling.windows(image_hw)
        if whole:
            windows = np.concatenate([windows, [[0, 0, image_hw[1], image_hw[0]]]])
        found = seen(rng, boxes, class_ids, windows)
        chosen = merge(found, windows, image_hw, 0.45, False, 1000).found
        assert once_each(chosen, boxes, class_ids), (image_hw, tiling)
        plain = Detections.concatenate(found)
        seams += not once_each(plain[nms(plain.boxes, plain.scores, plain.class_ids, 0.45)], boxes, class_ids)
    assert seams > 30  # what NMS alone would leave doubled: the scenes are no easy ones


SMALL = Predictor(components, SPEC, (128, 128), score_threshold=0.3, max_detections=500, batch_size=5)


def objects(size_hw, sides, count=60, seed=3):
    rng = np.random.default_rng(seed)
    boxes = apart(rng, size_hw, sides, count)
    class_ids = rng.integers(0, 2, len(boxes))
    return spots(size_hw, boxes, class_ids), boxes, class_ids


@pytest.mark.parametrize("overlap", [0.2, 0.5])
def test_a_predictor_finds_small_objects_in_a_large_image(overlap):
    """20 pixels of 1,500: without tiles they are two pixels of the input, and nothing is found."""
    image, boxes, class_ids = objects((1100, 1500), (16, 24))
    assert len(SMALL(image)) == 0
    tiled = SMALL.replace(tile=128, overlap=overlap)
    found = tiled(image)
    assert once_each(found, boxes, class_ids) and found.class_names == SPEC.class_names
    assert (np.diff(found.scores) <= 0).all()
    order = np.lexsort(found.boxes.T), np.lexsort(boxes.T)
    assert np.array_equal(found.boxes[order[0]], boxes[order[1]])
    assert tiled.left_out == (0.0,) and all(spent > 0 for spent in tiled.timings.values())


def test_a_list_and_images_of_one_tile():
    large, boxes, class_ids = objects((300, 500), (16, 40), count=20)
    small, *_ = objects((100, 90), (16, 40), count=5)
    tiled = SMALL.replace(tile=(128, 160))
    one, other = tiled([large, small])
    assert once_each(one, boxes, class_ids) and other == SMALL(small) and len(other) > 2
    assert len(tiled.left_out) == 2 and tiled([]) == []


def test_objects_that_are_larger_than_a_tile():
    """In tiles they are joined from their parts; the whole image shows them too."""
    image, boxes, class_ids = objects((600, 600), (200, 320), count=3)
    for whole in (False, True):
        found = SMALL.replace(tile=128, overlap=0.25, tile_whole=whole)(image)
        assert once_each(found, boxes, class_ids)


@pytest.mark.parametrize("fit", ["resize", "letterbox", "darknet"])
def test_tiles_are_brought_to_the_input_as_images_are(fit):
    image, boxes, class_ids = objects((500, 700), (30, 60), count=15)
    found = SMALL.replace(tile=(192, 256), fit=Preprocess(fit))(image)
    assert once_each(found, boxes, class_ids)


def test_batches_are_no_larger_than_the_batch_size():
    sizes = []

    def network(pixels):
        sizes.append(len(pixels))
        return components(pixels)

    Predictor(network, SPEC, (128, 128), tile=128, overlap=0, batch_size=5)(np.zeros((256, 896, 3), np.uint8))
    assert sizes == [5, 5, 4]


def test_what_a_limit_cuts_off_is_told():
    image, boxes, _ = objects((300, 500), (16, 20), count=30)
    tiled = SMALL.replace(tile=128, max_detections=10)
    assert len(tiled(image)) == 10 and tiled.left_out[0] > 0.3
    few = SMALL.replace(tile=128, network_limit=None, max_candidates=1)  # one for each tile
    assert 10 < len(few(image)) < 30 and few.left_out[0] > 0.3


def test_what_is_wrong_is_said_and_what_is_set_is_shown():
    with pytest.raises(SettingError, match="^tile 8: expected 32 or more$"):
        SMALL.replace(tile=8)
    with pytest.raises(SettingError, match="^overlap 2: must lie within 0 and 0.9$"):
        SMALL.replace(tile=64, overlap=2)
    tiled = SMALL.replace(tile=640)
    assert "tile=(640, 640), overlap=0.2, tile_whole=False" in repr(tiled) and "tile" not in repr(SMALL)
    assert tiled.replace(nms="agnostic").tile == (640, 640)
