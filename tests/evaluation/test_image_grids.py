"""The grid of a training batch: an object is drawn once, however many target rows it has."""

from __future__ import annotations

import numpy as np

from gluon_yolo.assigners import BOX, CLASS, COLUMNS, WEIGHT
from gluon_yolo.data.loading.collate import Batch
from gluon_yolo.evaluation.image_grids import batch_grid


def batch_of(*rows) -> Batch:
    targets = np.zeros((1, 8, COLUMNS), dtype=np.float32)
    for place, (class_id, box, weight) in enumerate(rows):
        targets[0, place, CLASS], targets[0, place, BOX], targets[0, place, WEIGHT] = class_id, box, weight
    return Batch(np.full((1, 160, 160, 3), 128, np.uint8), targets, ["a.jpg"], [0], (160, 160))


def test_an_object_of_several_rows_is_drawn_once():
    cat, dog = (1, (40, 50, 110, 120), 1), (0, (20, 60, 90, 140), 1)
    once = batch_grid(batch_of(cat, dog), ("dog", "cat"))
    rows = (cat, (*cat[:2], 0), (*cat[:2], 0), dog, dog)
    np.testing.assert_array_equal(batch_grid(batch_of(*rows), ("dog", "cat")), once)
    assert not np.array_equal(batch_grid(batch_of(cat), ("dog", "cat")), once)
