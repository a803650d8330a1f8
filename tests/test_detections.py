"""Detections: normalised and validated when made; every column follows an index."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gluon_yolo.detections import Detections

BOXES = [[0, 0, 10, 20], [5, 5, 5, 5], [1.5, 2.5, 3.5, 4.5]]


def three() -> Detections:
    return Detections(BOXES, [0, 1, 2], [0.9, 0.5, 0.1], [True, False, True])


def test_lists_become_arrays_of_the_stated_types():
    d = three()
    assert (d.boxes.dtype, d.class_ids.dtype) == (np.float32, np.int64)
    assert d.scores is not None and d.scores.dtype == np.float32
    assert d.difficult is not None and d.difficult.dtype == np.bool_
    np.testing.assert_array_equal(d.boxes, np.array(BOXES, dtype=np.float32))
    assert len(d) == 3


def test_optional_columns_stay_absent():
    d = Detections(BOXES, [0, 1, 2])
    assert d.scores is None and d.difficult is None
    assert d[:1].scores is None and d[:1].difficult is None


@pytest.mark.parametrize(
    "boxes",
    [[], np.zeros((0, 4)), np.zeros(0)],  # as a parser, a mask and a bare array give no boxes
)
def test_no_boxes(boxes):
    d = Detections(boxes, [])
    assert d.boxes.shape == (0, 4) and len(d) == 0


def test_empty_has_scores_on_request():
    assert Detections.empty().scores is None
    scores = Detections.empty(scored=True).scores
    assert scores is not None and scores.shape == (0,)


@pytest.mark.parametrize(
    ("index", "classes"),
    [
        (np.array([True, False, True]), [0, 2]),  # a mask
        (np.array([2, 0]), [2, 0]),  # an order
        (slice(1, None), [1, 2]),
        (np.array([], dtype=int), []),
        (np.zeros(3, dtype=bool), []),
    ],
)
def test_every_column_follows_an_index(index, classes):
    picked = three()[index]
    assert picked.class_ids.tolist() == classes
    np.testing.assert_array_equal(picked.boxes, np.array(BOXES, dtype=np.float32)[index])
    np.testing.assert_array_equal(picked.scores, np.array([0.9, 0.5, 0.1], dtype=np.float32)[index])
    np.testing.assert_array_equal(picked.difficult, np.array([True, False, True])[index])


def test_replace_checks_again_and_leaves_the_original():
    d = three()
    moved = d.replace(boxes=d.boxes + 1)
    np.testing.assert_array_equal(moved.boxes, d.boxes + 1)
    np.testing.assert_array_equal(d.boxes, np.array(BOXES, dtype=np.float32))
    assert moved.class_ids.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="scores"):
        d.replace(scores=[0.5])
    with pytest.raises(dataclasses.FrozenInstanceError):
        d.boxes = BOXES


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([[0, 0, 10]], [0]), r"boxes: expected shape \(N, 4\), got \(1, 3\)"),
        (([0, 0, 10, 10], [0]), r"boxes: expected shape \(N, 4\), got \(4,\)"),
        (([[0, 0, np.nan, 10]], [0]), "boxes: expected finite numbers"),
        (([[0, 0, np.inf, 10]], [0]), "boxes: expected finite numbers"),
        (([[10, 0, 9, 10]], [0]), "boxes: expected x2 >= x1"),
        (([[0, 10, 9, 9]], [0]), "boxes: expected x2 >= x1 and y2 >= y1"),
        (([[0, 0, 9, 9]], [0, 1]), r"class_ids: expected shape \(1,\), got \(2,\)"),
        (([[0, 0, 9, 9]], [[0]]), r"class_ids: expected shape \(1,\), got \(1, 1\)"),
        (([[0, 0, 9, 9]], [0], []), r"scores: expected shape \(1,\), got \(0,\)"),
        (([[0, 0, 9, 9]], [0], None, [True, False]), r"difficult: expected shape \(1,\), got \(2,\)"),
    ],
)
def test_a_wrong_record_is_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        Detections(*columns)
