"""Placement: labels within the image, off each other and off the objects; the order of places by hand."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.drawing.label_layout import HIDDEN, Place, place_labels

SIZE_HW = (200, 300)
WH = (40, 10)  # of a label


def places(*boxes: list[float], forms: tuple = (WH,)) -> list[Place | None]:
    return place_labels(np.array(boxes, dtype=np.float32), [forms] * len(boxes), SIZE_HW)


@pytest.mark.parametrize(
    ("box", "left", "top"),
    [
        ([100, 100, 160, 160], 100, 90),  # above, at its left
        ([280, 100, 298, 160], 260, 90),  # above, as far right as the image goes
        ([5, 0, 295, 195], 5, 0),  # in its top: there is room nowhere else, and it is large
        ([100, 3, 120, 40], 100, 40),  # below: in its top it would cover a fourth
        ([-20, 100, 30, 160], 0, 90),  # what is outside the image does not count
    ],
)
def test_one_label(box, left, top):
    assert places(box) == [Place(0, left, top)]


def test_two_boxes_beside_each_other():
    """The second label would lie on the first: its box's right end is free."""
    assert places([100, 100, 120, 140], [125, 100, 190, 140]) == [Place(0, 100, 90), Place(0, 150, 90)]


def test_a_label_keeps_off_the_object_above():
    (above, below) = places([100, 50, 130, 90], [100, 92, 130, 130])
    assert above == Place(0, 100, 40) and below == Place(0, 100, 130)


def test_one_box_of_three_classes():
    box = [100, 100, 180, 160]
    found = places(box, box, box)
    assert found == [Place(0, 100, 90), Place(0, 140, 90), Place(0, 100, 160)]


def test_all_labels_have_the_form_for_which_there_is_room():
    """Boxes of 30 in a row have room for labels of 28, and not for those of 60."""
    row = [[31 * i, 100, 31 * i + 30, 120] for i in range(9)]
    found = places(*row, forms=((60, 10), (28, 10)))
    assert {place.form for place in found} == {1}
    assert {place.form for place in places(*row[::3], forms=((60, 10), (28, 10)))} == {0}


def test_a_form_larger_than_the_image():
    box = [100, 100, 160, 160]
    assert places(box, forms=((400, 10), WH)) == [Place(1, 100, 90)] and places(box, forms=((400, 10),)) == [
        None
    ]


def test_nothing_to_place():
    assert place_labels(np.zeros((0, 4)), [], SIZE_HW) == []


def common(a: np.ndarray, b: np.ndarray) -> float:
    width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    return max(0.0, width) * max(0.0, height)


@pytest.mark.parametrize("seed", range(4))
def test_boxes_anywhere(seed):
    """No label is on another by more than its edge, none hides an object, all are within the image."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, [280, 180], (60, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 80, (60, 2))], axis=1)
    found = place_labels(boxes, [(WH, (20, 8))] * 60, SIZE_HW)
    inside = np.clip(boxes, 0, [300, 200, 300, 200])
    sizes = [(WH, (20, 8))[place.form] for place in found if place]
    plates = [
        np.array([place.left, place.top, place.left + w, place.top + h])
        for (w, h), place in zip(sizes, filter(None, found))
    ]
    assert len(plates) > 20
    for i, plate in enumerate(plates):
        assert plate.min() >= 0 and plate[2] <= 300 and plate[3] <= 200
        assert sum(common(plate, other) for other in plates[:i]) <= 0.05 * (plate[2] - plate[0]) * (
            plate[3] - plate[1]
        )
        for box in inside:
            assert common(plate, box) <= HIDDEN * max(1, (box[2] - box[0]) * (box[3] - box[1])) + 1e-6
