"""TrainLoader: equal batches for all workers, resuming, limits, a clean stop, errors with their causes."""

from __future__ import annotations

import dataclasses
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from gluon_yolo.assigners import COLUMNS, assign
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.loading import loader as loading
from gluon_yolo.data.loading.collate import Batch
from gluon_yolo.data.loading.loader import TrainLoader
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.data.transforms import Mosaic, Resize, light_train, yolo3_train
from gluon_yolo.data.transforms.mixup import mix
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError
from gluon_yolo.spec import DetectionSpec
from tests.waiting import wait_until

SPEC = DetectionSpec(("a", "b", "c"))


class Memory(Dataset):
    """Noise of several sizes in memory; reading a ``bad`` image fails, and each reading is recorded."""

    def __init__(self, count: int, bad: dict[int, Exception] | None = None, delay: float = 0) -> None:
        super().__init__(("a", "b", "c"), DatasetReport("memory"))
        self.count = count
        self.bad = bad or {}
        self.delay = delay
        self.read: list[int] = []

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        return f"folder/{index:03d}.jpg"

    def size_hw(self, index: int) -> tuple[int, int]:
        return 60 + index % 3 * 20, 90 - index % 4 * 10

    def image(self, index: int, reduction: int = 1) -> np.ndarray:
        self.read.append(index)
        time.sleep(self.delay)
        if index in self.bad:
            raise self.bad[index]
        random = np.random.default_rng(index)
        return random.integers(0, 256, (*self.size_hw(index), 3), dtype=np.uint8)

    def annotations(self, index: int) -> Detections:
        boxes = np.array([[4, 4, 30, 40], [20, 10, 50, 50], [5, 30, 58, 55]])[: index % 4]
        return Detections(boxes, np.arange(len(boxes)))


def loader(dataset: Dataset, batch_size: int = 4, **options) -> TrainLoader:
    options = {"transform": yolo3_train(), "sizes_hw": [(64, 96)], **options}
    return TrainLoader(dataset, batch_size=batch_size, **{"spec": SPEC, **options})


def assert_equal(first: list[Batch], second: list[Batch]) -> None:
    assert len(first) == len(second)
    for a, b in zip(first, second):
        np.testing.assert_array_equal(a.images, b.images)
        np.testing.assert_array_equal(a.targets, b.targets)
        assert (a.names, a.indices, a.size_hw) == (b.names, b.indices, b.size_hw)


def worker_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("gluon_yolo-loader")]


def test_a_batch_is_images_targets_and_their_names() -> None:
    batches = list(loader(Memory(11)).epoch(0))
    assert len(batches) == len(loader(Memory(11))) == 2  # the last three are left out
    for batch in batches:
        assert batch.images.shape == (4, 64, 96, 3) and batch.images.dtype == np.uint8
        assert batch.targets.shape == (4, 8, COLUMNS) and batch.targets.dtype == np.float32
        assert batch.size_hw == (64, 96)
        assert batch.names == [f"folder/{index:03d}.jpg" for index in batch.indices]
    indices = [index for batch in batches for index in batch.indices]
    assert len(set(indices)) == 8
    assert indices != [index for batch in loader(Memory(11)).epoch(1) for index in batch.indices]


def test_images_and_targets_are_the_transforms_and_the_assigners() -> None:
    dataset = Memory(8)
    for batch in loader(dataset, transform=Resize()).epoch(0):
        for place, index in enumerate(batch.indices):
            image, truth = Resize()(
                dataset.image(index), dataset.annotations(index), np.random.default_rng(0), (64, 96)
            )
            rows = assign(truth, None, SPEC, (64, 96))
            np.testing.assert_array_equal(batch.images[place], image)
            np.testing.assert_array_equal(batch.targets[place, : len(rows)], rows)
            assert not batch.targets[place, len(rows) :].any()


@pytest.mark.parametrize(("assigner", "multiple"), [("size_ratio", 8), ("neighbours", 24)])
def test_the_spec_says_which_assigner_makes_the_targets(assigner: str, multiple: int) -> None:
    """With several anchors per object there are more target rows, and each image has all of its own."""
    spec = dataclasses.replace(SPEC, assigner=assigner)
    dataset = Memory(8)
    lengths = []
    for batch in loader(dataset, batch_size=2, transform=Resize(), sizes_hw=[(192, 192)], spec=spec).epoch(0):
        lengths.append(batch.targets.shape[1])
        for rows, index in zip(batch.targets, batch.indices):
            _, truth = Resize()(
                dataset.image(index), dataset.annotations(index), np.random.default_rng(0), (192, 192)
            )
            expected = assign(truth, None, spec, (192, 192))
            np.testing.assert_array_equal(rows[: len(expected)], expected)
            assert not rows[len(expected) :].any()
    assert max(lengths) > 8 and not any(length % multiple for length in lengths)


@pytest.mark.parametrize("mixup", [False, True])
def test_workers_change_nothing(mixup: bool) -> None:
    sizes_hw = [(64, 64), (96, 96), (64, 96)]
    options = {"sizes_hw": sizes_hw, "resize_interval": 1, "seed": 3, "mixup": mixup}
    alone = list(loader(Memory(17), workers=0, **options).epoch(2))
    for workers in (1, 3):
        assert_equal(alone, list(loader(Memory(17), workers=workers, **options).epoch(2)))
    other_seed = loader(Memory(17), **{**options, "seed": 4}).epoch(2)
    assert next(other_seed).indices != alone[0].indices


def test_a_resumed_epoch_goes_on_and_reads_nothing_twice() -> None:
    dataset = Memory(20)
    whole = list(loader(dataset, resize_interval=2, sizes_hw=[(64, 64), (96, 64), (32, 32)]).epoch(1))
    dataset.read.clear()
    rest = loader(dataset, resize_interval=2, sizes_hw=[(64, 64), (96, 64), (32, 32)]).epoch(1, start_batch=3)
    assert_equal(whole[3:], list(rest))
    assert sorted(dataset.read) == sorted(index for batch in whole[3:] for index in batch.indices)
    assert list(loader(dataset).epoch(1, start_batch=5)) == []


def test_the_size_changes_by_the_interval() -> None:
    sizes_hw = [(side, side) for side in (32, 64, 96)]
    seen = [batch.size_hw for batch in loader(Memory(24), 1, sizes_hw=sizes_hw, resize_interval=3).epoch(0)]
    assert all(len(set(seen[start : start + 3])) == 1 for start in range(0, 24, 3))
    assert set(seen) == set(sizes_hw)


@pytest.mark.parametrize("count", [1, 3])
def test_a_small_set_is_repeated_with_other_random_numbers(count: int) -> None:
    batches = list(loader(Memory(count), 8, transform=light_train(), mixup=True).epoch(0))
    assert len(batches) == 1
    batch = batches[0]
    assert batch.images.shape == (8, 64, 96, 3)
    assert np.bincount(batch.indices).min() >= 8 // count
    assert len({image.tobytes() for image in batch.images}) == 8


def test_the_consumer_may_keep_its_batches() -> None:
    kept, copies = [], []
    for batch in loader(Memory(16), workers=2).epoch(0):
        kept.append(batch.images)
        copies.append(batch.images.copy())
    for images, copy in zip(kept, copies):
        np.testing.assert_array_equal(images, copy)


def test_mix_weights_each_object_by_its_images_share() -> None:
    first = np.full((20, 40, 3), 100, np.uint8), Detections([[1, 2, 30, 15]], [1])
    second = (
        np.full((30, 10, 3), 200, np.uint8),
        Detections([[0, 0, 9, 29], [1, 1, 5, 5]], [2, 0], None, [True, False]),
    )
    image, truth = mix(first, second, 0.75)
    assert image.shape == (30, 40, 3)
    assert image[[5, 5, 25, 25], [5, 20, 5, 20], 0].tolist() == [125, 75, 50, 0]
    np.testing.assert_array_equal(truth.boxes, [[1, 2, 30, 15], [0, 0, 9, 29], [1, 1, 5, 5]])
    np.testing.assert_array_equal(truth.scores, [0.75, 0.25, 0.25])
    assert truth.class_ids.tolist() == [1, 2, 0] and truth.difficult.tolist() == [False, True, False]


def test_mixup_reaches_the_targets_and_can_be_switched_by_epoch() -> None:
    def weights(batches) -> np.ndarray:
        rows = np.concatenate([batch.targets.reshape(-1, COLUMNS) for batch in batches])
        return rows[rows[:, 6] > 0, 6]

    mixing = loader(Memory(16), transform=Resize(), mixup=True)
    mixed = weights(mixing.epoch(0))
    assert (mixed < 1).all() and len(set(mixed)) > 8
    np.testing.assert_array_equal(weights(mixing.epoch(0, mixup=False)), 1)
    assert (weights(loader(Memory(16), transform=Resize()).epoch(0, mixup=True)) < 1).all()


def test_errors_name_the_image_and_stop_the_workers() -> None:
    cases = [
        # what the image raises, what the consumer gets
        (ValueError("no colour"), RuntimeError, r"^folder/005\.jpg: ValueError: no colour$"),
        (UserError("cut short"), UserError, r"^folder/005\.jpg: cut short$"),
        (UserError("folder/005.jpg: gone"), UserError, r"^folder/005\.jpg: gone$"),
    ]
    for raised, expected, message in cases:
        for workers in (0, 2):
            for mixup in (False, True):  # also as the mixup partner
                with pytest.raises(expected, match=message):
                    list(loader(Memory(8, {5: raised}), workers=workers, mixup=mixup).epoch(0))
                assert not worker_threads()

    def broken(*_):
        raise KeyError("anchor")

    with pytest.raises(RuntimeError, match=r"folder/00\d\.jpg: KeyError: 'anchor'"):
        list(loader(Memory(8), assigner=broken).epoch(0))


def test_stopping_early_ends_the_workers_and_their_reading() -> None:
    dataset = Memory(400, delay=0.002)
    for _ in loader(dataset, workers=3).epoch(0):
        break
    assert not worker_threads()
    count = len(dataset.read)
    time.sleep(0.02)
    assert len(dataset.read) == count <= 3 * 4 + 4

    batches = loader(dataset, workers=2).epoch(0)
    next(batches)
    batches.close()
    assert not worker_threads()


def test_reading_ahead_is_bounded() -> None:
    dataset = Memory(100)
    batches = loader(dataset, workers=2).epoch(0)
    next(batches)
    assert wait_until(lambda: len(dataset.read) >= 12)  # the consumer's batch and two more
    time.sleep(0.1)
    assert len(dataset.read) == 12
    batches.close()


def test_time_waiting_is_the_consumers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only reading and the consumer's own work advance the clock."""
    seconds = 0.0

    class Timed(Memory):
        def image(self, index: int, reduction: int = 1) -> np.ndarray:
            nonlocal seconds
            seconds += 1
            return super().image(index, reduction)

    monkeypatch.setattr(loading, "time", SimpleNamespace(perf_counter=lambda: seconds))
    timed = loader(Timed(16), workers=0)
    for number, _ in enumerate(timed.epoch(0), 1):
        assert timed.time_waiting == 4 * number
        seconds += 50
    assert len(list(timed.epoch(1))) == 4 and timed.time_waiting == 32


def test_wrong_use_is_said() -> None:
    with pytest.raises(UserError, match="no pictures"):
        loader(Memory(0))
    with pytest.raises(ValueError, match="multiples of 32"):
        loader(Memory(3), sizes_hw=[(64, 64), (64, 100)])
    with pytest.raises(ValueError, match="sizes_hw"):
        loader(Memory(3), sizes_hw=[])
    with pytest.raises(ValueError, match="seed"):
        loader(Memory(3), seed=-1)


@pytest.mark.parametrize("workers, worker_type", [(0, "thread"), (2, "thread"), (1, "process")])
def test_without_mosaic_an_epoch_is_that_of_the_tile(workers, worker_type):
    options = {"workers": workers, "worker_type": worker_type}
    mosaic = Mosaic(light_train(), probability=1.0)
    with loader(Memory(8), transform=mosaic, **options) as mixed:
        with loader(Memory(8), transform=light_train()) as plain:
            assert_equal(list(mixed.epoch(0, mosaic=False)), list(plain.epoch(0)))
            first, other = next(mixed.epoch(0)), next(plain.epoch(0))
            assert not np.array_equal(first.images, other.images)
