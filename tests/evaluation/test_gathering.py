"""Gathering: an evaluation divided among processes gives every number of one process's, exactly."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest

from gluon_yolo.detections import Detections
from gluon_yolo.evaluation.coco_ap import COCOMetric
from gluon_yolo.evaluation.evaluate import evaluate
from gluon_yolo.evaluation.f1 import F1Metric
from gluon_yolo.evaluation.gathering import ALONE, Found, Gathering
from gluon_yolo.evaluation.voc_ap import VOCMetric
from gluon_yolo.training.processes.base import Processes
from tests.evaluation.test_evaluate import SIZE_HW, Squares

TIMED = ("seconds", "pictures_per_second")


class Part:
    """The gathering of one of several threads; the batches are divided as processes do."""

    def __init__(self, rank: int, world: int, sent: list[queue.Queue[list[Found]]]) -> None:
        self.rank, self.world, self.sent = rank, world, sent

    def batches(self, count: int) -> range:
        parts = np.array_split(np.arange(count), self.world)
        return range(parts[self.rank][0], parts[self.rank][-1] + 1) if len(parts[self.rank]) else range(0)

    def gathered(self, found: Iterable[Found]) -> Iterator[Found] | None:
        if self.rank:
            self.sent[self.rank].put(list(found))
            return None
        return self._all(found)

    def _all(self, found: Iterable[Found]) -> Iterator[Found]:
        yield from found
        for rank in range(1, self.world):
            yield from self.sent[rank].get(timeout=60)


def guess(images: np.ndarray) -> list[Detections]:
    """Return boxes that depend on the whole batch, many with equal scores: order and division would show."""
    rng = np.random.default_rng(int(images.sum()) % 2**32)
    found = []
    for _ in images:
        corners = rng.uniform(0, 60, (6, 2))
        boxes = np.hstack([corners, corners + rng.uniform(10, 60, (6, 2))])
        found.append(Detections(boxes, rng.integers(0, 2, 6), rng.choice([0.2, 0.5, 0.9], 6)))
    return found


def numbers_of(gathering: Gathering, images: int, seen: list[tuple[int, int]]) -> dict[str, Any]:
    dataset = Squares(images)
    metrics = [
        VOCMetric(dataset.class_names),
        COCOMetric.from_dataset(dataset),
        F1Metric(dataset.class_names),
    ]

    def watch(index: int, image: np.ndarray, predicted: Detections) -> None:
        assert image.shape == (*dataset.size_hw(index), 3)
        seen.append((index, len(predicted)))

    found = evaluate(guess, dataset, SIZE_HW, 4, metrics, watch=watch, watched=9, gathering=gathering)
    return {name: value for name, value in found.items() if name not in TIMED}


@pytest.mark.parametrize("world", [2, 3, 5])
@pytest.mark.parametrize("images", [1, 5, 23])  # fewer batches than processes, too
def test_a_divided_evaluation_is_one_processs(world: int, images: int) -> None:
    pytest.importorskip("pycocotools")
    expected_seen: list[tuple[int, int]] = []
    expected = numbers_of(ALONE, images, expected_seen)
    sent: list[queue.Queue[list[Found]]] = [queue.Queue() for _ in range(world)]
    results: dict[int, dict[str, Any]] = {}
    seen: list[list[tuple[int, int]]] = [[] for _ in range(world)]

    def part(rank: int) -> None:
        results[rank] = numbers_of(Part(rank, world, sent), images, seen[rank])

    threads = [threading.Thread(target=part, args=(rank,)) for rank in range(world)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    np.testing.assert_equal(results[0], expected)
    assert seen[0] == expected_seen == [(index, 6) for index in range(min(9, images))]
    assert all(results[rank] == {} and not seen[rank] for rank in range(1, world))


def test_processes_divide_batches_as_the_parts_do() -> None:
    """The first ones get one more; no batch is left out or computed twice."""
    pytest.importorskip("torch", reason="several processes are torch's engine")
    from gluon_yolo.training.processes.many import ManyProcesses
    from gluon_yolo.training.processes.member import Member

    for count, world in ((0, 3), (1, 3), (7, 3), (9, 3), (5, 8)):
        parts = []
        for rank in range(world):
            processes = ManyProcesses.__new__(ManyProcesses)
            processes.member = Member(rank, world, rank, world, "", "", "")
            parts.append(processes.batches(count))
        assert [batch for part in parts for batch in part] == list(range(count))
        assert [len(part) for part in parts] == [len(part) for part in np.array_split(range(count), world)]
    assert Processes().gathering.batches(7) == range(7)
