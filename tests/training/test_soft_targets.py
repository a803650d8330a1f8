"""Soft targets: which predictions of a teacher become rows, at which anchors, with which numbers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gluon_yolo.assigners import BOX, BOX_WEIGHT, CLASS, COLUMNS, INDEX, WEIGHT, assign
from gluon_yolo.detections import Detections
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.training.soft_targets import soft_targets

SPEC = DetectionSpec(("cat", "dog"), (((16, 16),), ((48, 48),)), (16, 32))
BY_CELL = dataclasses.replace(
    SPEC,
    box_coding="squared_sigmoid",
    score_rule="objectness_times_softmax",
    assigner="size_ratio",
    xy_scales=(2, 2),
)
SIZE_HW = (64, 96)


def rows_of(*predictions, spec=SPEC):
    """Return the rows of one image that count."""
    (rows,) = soft_targets(np.array([predictions], np.float32), spec, SIZE_HW)
    return rows[rows[:, WEIGHT] > 0]


def test_a_prediction_is_a_row_at_the_anchor_of_its_size():
    """Of 6 x 4 cells of 16 pixels and 3 x 2 of 32; a small box in column 2, row 1, a large one in 1, 0."""
    small = [32, 16, 48, 32, 0.7, 0.2, 0.9]
    large = [30, 4, 66, 44, 0.4, 0.6, 0.1]
    first, second = rows_of(large, small)[np.argsort([1, 0])]
    assert first[INDEX] == 1 * 6 + 2 and second[INDEX] == 24 + 0 * 3 + 1
    for row, prediction, class_id in ((first, small, 1), (second, large, 0)):
        np.testing.assert_array_equal(row[BOX], prediction[:4])
        np.testing.assert_allclose([row[WEIGHT], *row[COLUMNS:]], prediction[4:])
        assert row[CLASS] == class_id
        width, height = prediction[2] - prediction[0], prediction[3] - prediction[1]
        assert row[BOX_WEIGHT] == pytest.approx(2 - width * height / (64 * 96))


@pytest.mark.parametrize("spec", [SPEC, BY_CELL], ids=["yolo3", "by cell"])
def test_rows_are_those_that_the_boxes_have_as_annotations(spec):
    rng = np.random.default_rng(0)
    centres, sides = rng.uniform(20, 60, (6, 2)), rng.uniform(10, 38, (6, 2))
    boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1).clip(0, [96, 64, 96, 64])
    objectness = np.sort(rng.uniform(0.1, 1, 6))  # of two rows with one anchor, annotations keep the last
    classes = np.arange(6) % 2
    predictions = np.concatenate([boxes, objectness[:, None], np.eye(2)[classes]], axis=1)
    found = rows_of(*predictions, spec=spec)
    expected = assign(Detections(boxes, classes), objectness, spec, SIZE_HW)
    np.testing.assert_allclose(found[:, :COLUMNS], expected[expected[:, WEIGHT] > 0], rtol=1e-6)
    np.testing.assert_array_equal(found[:, COLUMNS:], np.eye(2)[found[:, CLASS].astype(int)])


def test_of_two_boxes_at_one_anchor_the_surer_has_it():
    """They hardly overlap, so that NMS keeps both."""
    left, right = [30, 12, 39, 34, 0.3, 1, 0], [39, 12, 48, 34, 0.6, 1, 0]
    for given in ((left, right), (right, left)):
        (row,) = rows_of(*given)
        np.testing.assert_allclose([*row[BOX], row[WEIGHT]], right[:5])


@pytest.mark.parametrize(
    ("other", "stays"),
    [
        ([36, 20, 60, 44, 0.6, 0.2, 0.9], False),  # the same object once more, IoU 0.53
        ([36, 20, 60, 44, 0.6, 0.9, 0.2], True),  # of another class
        ([42, 24, 66, 48, 0.6, 0.2, 0.9], True),  # IoU 0.24
        ([70, 40, 86, 56, 0.6, 0.2, 0.9], True),
        ([70, 40, 86, 56, 0.04, 0.2, 0.9], False),  # background
        ([70, 40, 86, 56, 0.05, 0.2, 0.9], True),
        ([70, 40, 70.5, 56, 0.6, 0.2, 0.9], False),  # less than a pixel wide
        ([95.5, 40, 130, 56, 0.6, 0.2, 0.9], False),  # of which less than a pixel is in the image
        ([np.nan, 40, 86, 56, 0.6, 0.2, 0.9], False),
        ([70, 40, np.inf, 56, 0.6, 0.2, 0.9], False),
        ([70, 40, 86, 56, np.nan, 0.2, 0.9], False),
    ],
)
def test_what_becomes_a_row(other, stays):
    sure = [33, 17, 57, 41, 0.7, 0.2, 0.9]
    fine = dataclasses.replace(SPEC, anchors=(((16, 16),), ((24, 24),)), strides=(4, 8))
    weights = [float(row[WEIGHT]) for row in rows_of(other, sure, spec=fine)]
    np.testing.assert_allclose(sorted(weights), sorted([0.7, *([other[4]] if stays else [])]), rtol=1e-6)


def test_boxes_are_clipped_to_the_image():
    (row,) = rows_of([-8, -4, 10, 12, 0.8, 1, 0])
    np.testing.assert_array_equal(row[BOX], [0, 0, 10, 12])
    assert row[INDEX] == 0


def test_a_softmax_gets_probabilities_whose_sum_is_1():
    given = [31, 17, 47, 33, 0.7, 0.3, 0.9]
    np.testing.assert_allclose(rows_of(given, spec=BY_CELL)[:, COLUMNS:], [[0.25, 0.75]] * 3, rtol=1e-6)
    np.testing.assert_allclose(rows_of(given)[:, COLUMNS:], [[0.3, 0.9]], rtol=1e-6)
    none = rows_of([32, 16, 48, 32, 0.7, 0, 0], spec=BY_CELL)
    assert np.isfinite(none).all()


def test_images_are_padded_to_one_number_of_rows():
    sure, nothing = [32, 16, 48, 32, 0.7, 0.2, 0.9], [0, 0, 20, 20, 0.0, 0.5, 0.5]
    targets = soft_targets(np.array([[sure], [nothing]], np.float32), SPEC, SIZE_HW)
    assert targets.shape == (2, 32, COLUMNS + 2) and targets.dtype == np.float32
    assert targets[0, 0, WEIGHT] == np.float32(0.7) and not targets[0, 1:].any() and not targets[1].any()


@pytest.mark.parametrize("assigner, rows", [("neighbours", 3), ("overlap", 2)])
def test_rows_of_an_object_stay_together(assigner, rows):
    """A loss that tells the objects takes every third row, or every second one."""
    spec = dataclasses.replace(SPEC, assigner=assigner, xy_scales=(2, 2))
    found = soft_targets(
        np.array([[[32, 16, 48, 32, 0.7, 0.2, 0.9], [30, 4, 66, 44, 0.4, 0.6, 0.1]]], np.float32),
        spec,
        SIZE_HW,
    )[0]
    assert len(found) % rows == 0
    firsts = found[::rows][:2]
    np.testing.assert_array_equal(firsts[:, BOX], [[30, 4, 66, 44], [32, 16, 48, 32]])


def test_the_surest_100_boxes_of_an_image_teach():
    fine = dataclasses.replace(SPEC, anchors=(((3, 3),), ((48, 48),)), strides=(4, 32))
    corners = np.array([[x, y] for y in range(0, 40, 4) for x in range(0, 80, 4)])  # 200 boxes apart
    objectness = np.linspace(0.9, 0.1, 200)
    columns = [corners, corners + 3, objectness[:, None], np.full((200, 2), 0.5)]
    rows = rows_of(*np.concatenate(columns, axis=1), spec=fine)
    np.testing.assert_allclose(np.sort(rows[:, WEIGHT]), objectness[:100][::-1], rtol=1e-6)


def test_objects_that_a_teacher_sees_at_many_anchors_leave_room_for_the_others():
    """Thirty objects at nine anchors each; the thirty-first has a lower objectness than all of them."""
    fine = dataclasses.replace(SPEC, anchors=(((3, 3),), ((48, 48),)), strides=(4, 32))
    corners = np.array([[x, y] for y in range(0, 24, 8) for x in range(0, 80, 8)]).repeat(9, axis=0)
    columns = [corners, corners + 3, np.full((len(corners), 1), 0.9), np.full((len(corners), 2), 0.5)]
    rows = rows_of(*np.concatenate(columns, axis=1), [40, 48, 44, 52, 0.3, 0.9, 0.1], spec=fine)
    np.testing.assert_allclose(np.sort(rows[:, WEIGHT]), [0.3, *[0.9] * 30], rtol=1e-6)
