"""Class balance: repeat factors, and the orders of epochs that follow from them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gluon_yolo.data.loading.balance import Balance
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.data.transforms import Mosaic, light_train
from gluon_yolo.detections import Detections
from tests.data.loading.test_loader import Memory, assert_equal, loader


class Labelled(Memory):
    """Images with the given classes."""

    def __init__(self, classes: list[list[int]]) -> None:
        super().__init__(len(classes))
        self.class_names, self.report = ("a", "b", "c"), DatasetReport("memory")
        self.classes = classes

    def annotations(self, index: int) -> Detections:
        ids = np.array(self.classes[index], dtype=np.int64)
        return Detections(np.tile([4.0, 4.0, 30.0, 40.0], (len(ids), 1)), ids)


def factors(classes: list[list[int]], threshold: float) -> list[float]:
    """Return the factor of each image, derived as in the paper."""
    found = []
    for own in classes:
        factor = 1.0
        for one in own:
            share = sum(one in other for other in classes) / len(classes)
            factor = max(factor, math.sqrt(threshold / share))
        found.append(factor)
    return found


CLASSES = [[0], [0, 0], [0, 1], [0], [], [0], [0], [0], [2, 0, 2, 2], [0]]


@pytest.mark.parametrize("threshold", [0.01, 0.1, 0.4, 1.0])
def test_factors(threshold):
    balance = Balance.of(Labelled(CLASSES), threshold)
    np.testing.assert_allclose(balance.of_images, factors(CLASSES, threshold))
    assert balance.counts.tolist() == [9, 1, 1]


def test_factors_by_hand():
    balance = Balance.of(Labelled(CLASSES), 0.4)  # b and c: sqrt(0.4 / 0.1)
    assert balance.of_images.tolist() == [1, 1, 2, 1, 1, 1, 1, 1, 2, 1]
    said = "class balance: pictures of rare classes are drawn more often: b (of 1) 2 times, c (of 1) 2 times"
    assert balance.line(("a", "b", "c")) == said
    assert Balance.of(Labelled([[0], [0]]), 1.0).of_classes.tolist() == [1, 1, 1]  # two classes have no image
    none = "class balance: no class is that rare; all pictures are drawn equally often"
    assert Balance.of(Labelled(CLASSES), 0.05).line(("a", "b", "c")) == none


def test_an_order_has_whole_factors_exactly_and_the_rest_by_chance():
    balance = Balance.of(Labelled(CLASSES), 0.9)  # b and c: 3 times; a, of 9 in 10: once
    orders = [balance.order(7, epoch, 14) for epoch in range(3)]
    for order in orders:
        assert np.bincount(order).tolist() == [1, 1, 3, 1, 1, 1, 1, 1, 3, 1]
    assert not np.array_equal(orders[0], orders[1])
    np.testing.assert_array_equal(orders[2], balance.order(7, 2, 14))
    uneven = Balance.of(Labelled(CLASSES), 0.625)  # 2.5 times
    counts = [np.bincount(uneven.order(7, epoch, 13), minlength=10)[2] for epoch in range(400)]
    assert set(counts) <= {1, 2, 3}
    whole = [np.bincount(np.unique(uneven.order(7, epoch, 99)), minlength=10).min() for epoch in range(20)]
    assert set(whole) == {1}  # no image is left out where there is room


@pytest.mark.parametrize("length", [8, 12, 40])
def test_shares_of_an_epoch_of_any_length(length):
    """Over many epochs an image is drawn in proportion to its factor."""
    balance = Balance.of(Labelled(CLASSES), 0.625)
    counts = sum(np.bincount(balance.order(1, epoch, length), minlength=10) for epoch in range(3000))
    expected = balance.of_images / balance.of_images.sum()
    np.testing.assert_allclose(counts / counts.sum(), expected, rtol=0.06)


def test_a_loader_repeats_with_other_random_numbers_and_resumes():
    balanced = loader(Labelled(CLASSES), class_balance=0.9, transform=light_train())
    batches = list(balanced.epoch(0))
    assert len(batches) == len(balanced) == 2  # as without
    assert_equal(batches[1:], list(balanced.epoch(0, 1)))
    assert_equal(
        batches, list(loader(Labelled(CLASSES), class_balance=0.9, transform=light_train()).epoch(0))
    )
    seen: dict[int, list[np.ndarray]] = {}
    for epoch in range(4):
        for batch in balanced.epoch(epoch):
            for index, image in zip(batch.indices, batch.images):
                seen.setdefault((epoch, index), []).append(image)
    repeated = [images for images in seen.values() if len(images) > 1]
    assert repeated and all(not np.array_equal(images[0], images[1]) for images in repeated)
    assert {index for (_, index), images in seen.items() if len(images) > 1} <= {2, 8}


def test_threshold_0_changes_nothing():
    assert_equal(list(loader(Memory(11), class_balance=0.0).epoch(1)), list(loader(Memory(11)).epoch(1)))
    assert loader(Memory(11)).balance is None


@pytest.mark.parametrize("workers, worker_type", [(0, "thread"), (2, "thread"), (1, "process")])
def test_without_mosaic_an_epoch_is_that_of_the_tile(workers, worker_type):
    options = {"workers": workers, "worker_type": worker_type}
    mosaic = Mosaic(light_train(), probability=1.0)
    with loader(Memory(8), transform=mosaic, **options) as mixed:
        with loader(Memory(8), transform=light_train()) as plain:
            assert_equal(list(mixed.epoch(0, mosaic=False)), list(plain.epoch(0)))
            first, other = next(mixed.epoch(0)), next(plain.epoch(0))
            assert not np.array_equal(first.images, other.images)
