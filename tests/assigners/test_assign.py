"""Assignment by best shape: each box's anchor and target row, by hand and against a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gluon_yolo.assigners import BOX, BOX_WEIGHT, CLASS, COLUMNS, DELTAS, INDEX, WEIGHT, assign
from gluon_yolo.data.loading.collate import pad_targets
from gluon_yolo.detections import Detections
from gluon_yolo.models.box_coder import YOLOv3BoxCoder
from gluon_yolo.spec import DetectionSpec

SPEC = DetectionSpec(("cat", "dog", "bird"))  # YOLOv3's anchors and strides
SIZE_HW = (256, 416)  # not square: grids of 32x52, 16x26 and 8x13 cells
SECOND_LEVEL, THIRD_LEVEL = 3 * 32 * 52, 3 * 32 * 52 + 3 * 16 * 26


def around(*cxcywh) -> list[list[float]]:
    return [[x - w / 2, y - h / 2, x + w / 2, y + h / 2] for x, y, w, h in cxcywh]


def test_one_box_by_hand():
    truth = Detections(around((100, 50, 60, 120)), [1])
    # Most similar shape: 59x119, the third of stride 16. Cell: column 100 // 16 = 6 of 26, row 50 // 16 = 3.
    expected = [
        SECOND_LEVEL + (2 * 16 + 3) * 26 + 6,
        100 / 16 - 6,
        50 / 16 - 3,
        math.log(60 / 59),
        math.log(120 / 119),
        1,
        1,
        2 - 60 * 120 / (256 * 416),
        70,
        -10,
        130,
        110,
    ]
    rows = assign(truth, None, SPEC, SIZE_HW)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, [expected], rtol=1e-5)


# width and height, index of the anchor over all levels
SHAPES = [
    ((10, 13), 0),  # equal to an anchor
    ((3, 2), 0),  # smaller than all
    ((33, 23), 2),
    ((23, 33), 1),  # the same, upright
    ((400, 250), 8),  # larger than all
    ((0, 0), 0),  # no area: the first
]


@pytest.mark.parametrize(("size_wh", "anchor"), SHAPES)
def test_anchor_of_the_nearest_shape(size_wh, anchor):
    index = assign(Detections(around((1, 1, *size_wh)), [0]), None, SPEC, SIZE_HW)[0, INDEX]
    cells = [32 * 52] * 3 + [16 * 26] * 3 + [8 * 13] * 3
    assert index == sum(cells[:anchor])  # the cell is the first one of the anchor's plane


# centre, expected column and row at stride 32, expected position in the cell
PLACES = [
    ((0, 0), (0, 0), (0, 0)),
    ((32, 64), (1, 2), (0, 0)),  # on a border: the cell that begins there
    ((31.5, 63.75), (0, 1), (31.5 / 32, 31.75 / 32)),
    ((416, 256), (12, 7), (1, 1)),  # the image's lower right corner: the same corner of the last cell
    ((415.9, 0), (12, 0), (31.9 / 32, 0)),
    ((500, 300), (12, 7), (1, 1)),  # the target of a box that was not clipped is still in 0..1
    ((-20, -1), (0, 0), (0, 0)),
]


@pytest.mark.parametrize(("centre", "cell", "place"), PLACES)
def test_cell_of_the_centre(centre, cell, place):
    row = assign(Detections(around((*centre, 373, 326)), [0]), None, SPEC, SIZE_HW)[0]
    assert row[INDEX] == THIRD_LEVEL + (2 * 8 + cell[1]) * 13 + cell[0]
    np.testing.assert_allclose(row[DELTAS], [*place, 0, 0], atol=1e-5)


def test_sides_under_a_pixel_count_as_one():
    row = assign(Detections(around((8, 8, 0.25, 0)), [0]), None, SPEC, SIZE_HW)[0]
    np.testing.assert_allclose(row[DELTAS], [0, 0, -math.log(10), -math.log(13)], atol=1e-6)


def test_the_later_of_two_claims_holds():
    same_cell = [(100, 50, 60, 120), (101, 51, 58, 118), (102, 52, 59, 119)]
    truth = Detections(around(*same_cell, (100, 50, 30, 61)), [0, 1, 2, 0])
    rows = assign(truth, None, SPEC, SIZE_HW)
    assert len(set(rows[:3, INDEX])) == 1 and rows[3, INDEX] != rows[0, INDEX]
    assert rows[:, WEIGHT].tolist() == [0, 0, 1, 1]  # another anchor of the cell is a separate match
    np.testing.assert_array_equal(
        rows[:, BOX], truth.boxes
    )  # all four rows still exempt predictions from the negatives
    assert rows[:, CLASS].tolist() == [0, 1, 2, 0]


def test_mixup_weights():
    truth = Detections(around((100, 50, 60, 120), (101, 51, 58, 118), (300, 200, 10, 10)), [0, 1, 2])
    rows = assign(truth, np.array([0.25, 0.75, 0]), SPEC, SIZE_HW)
    assert rows[:, WEIGHT].tolist() == [0, 0.75, 0]
    np.testing.assert_allclose(
        rows[:, BOX_WEIGHT], 2 - np.array([7200, 58 * 118, 100]) / (256 * 416), rtol=1e-6
    )


@pytest.mark.parametrize("size_hw", [(416, 416), (256, 416), (608, 320)])
@pytest.mark.parametrize(
    "spec",
    [SPEC, DetectionSpec(("a", "b", "c"), (((20, 20),), ((90, 40), (40, 90), (150, 150))), (16, 32))],
    ids=["yolo3", "levels of one and three anchors"],
)
def test_equals_the_plain_loop(spec, size_hw):
    rng = np.random.default_rng(sum(size_hw))
    height, width = size_hw
    centres, sides = rng.uniform(0, (width, height), (40, 2)), np.exp(rng.uniform(1, 6, (40, 2)))
    truth = Detections(around(*np.concatenate([centres, sides], axis=1)), rng.integers(0, 3, 40))
    rows = assign(truth, None, spec, size_hw)
    for row, box in zip(rows, truth.boxes):
        level, anchor, cell, index = plain_claim(box, spec, size_hw)
        assert row[INDEX] == index
        # the decoded target, with its sigmoid inverted, is the box
        place = np.clip(row[DELTAS][:2].astype(float), 1e-9, 1 - 1e-9)
        deltas = np.array([*np.log(place / (1 - place)), *row[DELTAS][2:]])
        stride = np.array([spec.strides[level]])
        anchor_wh = np.array([spec.anchors[level][anchor]])
        decoded = YOLOv3BoxCoder.decode_array(deltas[None], np.array([cell]), anchor_wh, stride)
        np.testing.assert_allclose(decoded[0], box, atol=2e-3)
    last_claim = {index: number for number, index in enumerate(rows[:, INDEX])}
    assert rows[:, WEIGHT].tolist() == [float(last_claim[i] == n) for n, i in enumerate(rows[:, INDEX])]


def plain_claim(box, spec, size_hw):
    """Return level, anchor within the level, (column, row), and flat index for one box."""
    w, h = box[2] - box[0], box[3] - box[1]
    best, claim, before = -1.0, None, 0
    for level, (anchors, stride) in enumerate(zip(spec.anchors, spec.strides)):
        rows, columns = size_hw[0] // stride, size_hw[1] // stride
        column, row = int((box[0] + box[2]) / 2 / stride), int((box[1] + box[3]) / 2 / stride)
        for number, (anchor_w, anchor_h) in enumerate(anchors):
            shared = min(w, anchor_w) * min(h, anchor_h)
            iou = shared / (w * h + anchor_w * anchor_h - shared)
            if iou > best:
                best = iou
                claim = level, number, (column, row), before + row * columns + column
            before += rows * columns
    return claim


@pytest.mark.parametrize("weights", [None, np.zeros(0)])
def test_empty_truth(weights):
    assert assign(Detections.empty(), weights, SPEC, SIZE_HW).shape == (0, COLUMNS)


@pytest.mark.parametrize("class_id", [3, -1])
def test_a_class_the_spec_has_not(class_id):
    with pytest.raises(ValueError, match=rf"class_ids: expected 0 to 2, got \[0, {class_id}\]"):
        assign(Detections([[0, 0, 9, 9]] * 2, [0, class_id]), None, SPEC, SIZE_HW)


def test_a_coding_that_is_not_there():
    spec = DetectionSpec(("cat",), box_coding="polar")
    with pytest.raises(ValueError, match="box_coding: expected one of yolo3, squared_sigmoid, got 'polar'"):
        assign(Detections([[0, 0, 9, 9]], [0]), None, spec, SIZE_HW)


@pytest.mark.parametrize("boxes", [[], [[0, 0, 9, 9]]])
def test_an_assigner_that_is_not_there(boxes):
    spec = DetectionSpec(("cat",), assigner="auction")
    with pytest.raises(ValueError, match="assigner: expected one of best_shape, .*size_ratio, got 'auction'"):
        assign(Detections(np.reshape(boxes, (-1, 4)), [0] * len(boxes)), None, spec, SIZE_HW)


# objects of each image, padded length
LENGTHS = [([0], 8), ([0, 0], 8), ([8, 1], 8), ([3, 9], 16), ([16], 16)]


@pytest.mark.parametrize(("counts", "length"), LENGTHS)
def test_padding(counts, length):
    targets = [np.full((count, COLUMNS), 1 + i, dtype=np.float32) for i, count in enumerate(counts)]
    batch = pad_targets(targets)
    assert batch.shape == (len(counts), length, COLUMNS) and batch.dtype == np.float32
    for padded, rows in zip(batch, targets):
        np.testing.assert_array_equal(padded[: len(rows)], rows)
        assert not padded[len(rows) :].any()


def test_padding_to_another_multiple():
    assert pad_targets([np.zeros((5, COLUMNS), np.float32)], multiple=1).shape == (1, 5, COLUMNS)
