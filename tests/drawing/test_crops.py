"""Crops: which pixels they hold, what their folders are called, and that none overwrites another."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.drawing.crops import class_folders, crop


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([2, 3, 5, 7], (slice(3, 7), slice(2, 5))),
        ([2.2, 3.9, 4.1, 6.01], (slice(3, 7), slice(2, 5))),  # pixels on the edge are within
        ([4, 4, 4, 4], (slice(4, 5), slice(4, 5))),  # one pixel at least
        ([-3, -3, 90, 90], (slice(0, 10), slice(0, 20))),
        ([20, 10, 20, 10], (slice(9, 10), slice(19, 20))),  # at the corner
    ],
)
def test_what_a_crop_holds(box, expected):
    image = np.arange(600, dtype=np.uint16).astype(np.uint8).reshape(10, 20, 3)
    assert (crop(image, np.array(box, dtype=np.float32)) == image[expected]).all()


def test_class_folders():
    names = ["Cat", "cat", "a/b", "..", "", "CON", "trailing. ", "犬", "x" * 300, "a_b", "正" * 99]
    assert class_folders(names) == [
        "Cat", "cat_2", "a_b", "class_3", "class_4", "CON_", "trailing", "犬", "x" * 200, "a_b_2", "正" * 66
    ]  # fmt: skip
