"""ConfusionMetric: hand-made cases, a plain derivation, and what supervision counts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gluon_yolo.detections import Detections
from gluon_yolo.evaluation.confusion import Confusion, ConfusionMetric
from tests.evaluation.detected_images import CLASSES, Image, detected_images

# 10x10 boxes: the IoU of two that are apart by 2 is 80/120 = 0.67, by 3 70/130 = 0.54, by 4 60/140 = 0.43.
ANT, BEE, CAT = range(3)


def at(x: float, width: float = 10) -> list[float]:
    return [x, 0, x + width, 10]


def detections(*rows: tuple[list[float], int, float]) -> Detections:
    return Detections([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])


def objects(*rows: tuple[list[float], int], difficult: tuple[int, ...] = ()) -> Detections:
    marks = [number in difficult for number in range(len(rows))]
    return Detections([row[0] for row in rows], [row[1] for row in rows], difficult=marks)


NONE, NOTHING = detections(), objects()

# detections; objects; crowds; the cells that are not 0: annotated, detected, count. 3 is the background.
CASES = {
    "nothing at all": (NONE, NOTHING, NOTHING, {}),
    "no annotations": (detections((at(0), BEE, 0.9)), NOTHING, NOTHING, {(3, BEE): 1}),
    "no detections": (NONE, objects((at(0), ANT), (at(50), CAT)), NOTHING, {(ANT, 3): 1, (CAT, 3): 1}),
    "right": (detections((at(2), ANT, 0.9)), objects((at(0), ANT)), NOTHING, {(ANT, ANT): 1}),
    "wrong class": (detections((at(2), BEE, 0.9)), objects((at(0), ANT)), NOTHING, {(ANT, BEE): 1}),
    "wrong place": (
        detections((at(4), ANT, 0.9)), objects((at(0), ANT)), NOTHING, {(ANT, 3): 1, (3, ANT): 1}
    ),
    "score of the threshold": (detections((at(0), ANT, 0.25)), objects((at(0), ANT)), NOTHING, {(ANT, 3): 1}),
    # 10 of 20 wide: an IoU of exactly 0.5
    "IoU of the threshold": (
        detections((at(0), ANT, 0.9)), objects((at(0, 20), ANT)), NOTHING, {(ANT, ANT): 1}
    ),
    "twice on an object": (
        detections((at(0), ANT, 0.5), (at(1), ANT, 0.9)),
        objects((at(0), ANT)),
        NOTHING,
        {(ANT, ANT): 1, (3, ANT): 1},
    ),
    # The bee fits better, and the ant is of the object's class.
    "own class first": (
        detections((at(0), BEE, 0.9), (at(3), ANT, 0.4)),
        objects((at(0), ANT)),
        NOTHING,
        {(ANT, ANT): 1, (3, BEE): 1},
    ),
    # The cat fits better, and the bee has the better score.
    "by descending IoU": (
        detections((at(3), BEE, 0.9), (at(1), CAT, 0.4)),
        objects((at(0), ANT)),
        NOTHING,
        {(ANT, CAT): 1, (3, BEE): 1},
    ),
    # Equal IoUs: the better score has the object.
    "ties": (
        detections((at(-2), BEE, 0.4), (at(2), CAT, 0.9)),
        objects((at(0), ANT)),
        NOTHING,
        {(ANT, CAT): 1, (3, BEE): 1},
    ),
    "difficult, not found": (NONE, objects((at(0), ANT), difficult=(0,)), NOTHING, {}),
    "difficult, found": (detections((at(1), ANT, 0.9)), objects((at(0), ANT), difficult=(0,)), NOTHING, {}),
    "difficult, found twice, once as another class": (
        detections((at(1), ANT, 0.9), (at(0), BEE, 0.8)), objects((at(0), ANT), difficult=(0,)), NOTHING, {}
    ),
    "beside a difficult one": (
        detections((at(4), ANT, 0.9)), objects((at(0), ANT), difficult=(0,)), NOTHING, {(3, ANT): 1}
    ),
    # The ant lies on a difficult ant and on a bee: it is no confusion of the bee.
    "difficult of the own class before another class": (
        detections((at(1), ANT, 0.9)),
        objects((at(0), ANT), (at(2), BEE), difficult=(0,)),
        NOTHING,
        {(BEE, 3): 1},
    ),
    "on a crowd": (
        detections((at(0), ANT, 0.9), (at(60), ANT, 0.8)), NOTHING, objects((at(0, 80), ANT)), {}
    ),
    "half on a crowd": (detections((at(75), ANT, 0.9)), NOTHING, objects((at(0, 80), ANT)), {}),
    "less than half on a crowd": (
        detections((at(76), ANT, 0.9)), NOTHING, objects((at(0, 80), ANT)), {(3, ANT): 1}
    ),
    "another class on a crowd": (
        detections((at(0), BEE, 0.9)), NOTHING, objects((at(0, 80), ANT)), {(3, BEE): 1}
    ),
    "an object in a crowd": (
        detections((at(0), ANT, 0.9), (at(0), ANT, 0.8)),
        objects((at(0), ANT)),
        objects((at(0, 80), ANT)),
        {(ANT, ANT): 1},
    ),
}  # fmt: skip


def counted(images: list[Image], class_names=CLASSES, threshold: float = 0.25) -> Confusion:
    metric = ConfusionMetric(class_names, threshold, crowds=lambda index: images[index][2])
    for index, (predicted, truth, _) in enumerate(images):
        metric.update(index, predicted, truth)
    return metric.confusion()


@pytest.mark.parametrize("case", CASES)
def test_by_hand(case: str) -> None:
    predicted, truth, crowds, cells = CASES[case]
    expected = np.zeros((4, 4))
    for (row, column), count in cells.items():
        expected[row, column] = count
    assert counted([(predicted, truth, crowds)]).counts.tolist() == expected.tolist()


def plain(images: list[Image], threshold: float) -> dict[tuple[int, int], int]:
    """Count the cells one pair at a time, as the module's docstring says."""
    cells: dict[tuple[int, int], int] = {}
    for predicted, truth, crowds in images:
        found = [
            [box, class_id]
            for box, class_id, score in zip(
                predicted.boxes.tolist(), predicted.class_ids.tolist(), predicted.scores.tolist()
            )
            if score > threshold
        ]
        there = list(zip(truth.boxes.tolist(), truth.class_ids.tolist(), truth.difficult.tolist()))
        sure = [[box, class_id] for box, class_id, difficult in there if not difficult]
        unsure = [[box, class_id] for box, class_id, difficult in there if difficult]
        for same in (True, False):
            pairs = [
                (iou(thing[0], one[0]), thing, one)
                for thing, one in itertools.product(sure, found)
                if (thing[1] == one[1]) == same
            ]
            for overlap, thing, one in sorted(pairs, key=lambda pair: -pair[0]):
                if overlap >= 0.5 and thing in sure and one in found:
                    cells[thing[1], one[1]] = cells.get((thing[1], one[1]), 0) + 1
                    sure.remove(thing)
                    found.remove(one)
            found = [
                one
                for one in found
                if not any(
                    iou(one[0], box) >= 0.5 and same <= (one[1] == class_id) for box, class_id in unsure
                )
                and not any(
                    one[1] == class_id and shared(one[0], box) >= 0.5 * size(one[0])
                    for box, class_id in zip(crowds.boxes.tolist(), crowds.class_ids.tolist())
                )
            ]
        for _, class_id in sure:
            cells[class_id, 3] = cells.get((class_id, 3), 0) + 1
        for _, class_id in found:
            cells[3, class_id] = cells.get((3, class_id), 0) + 1
    return cells


def size(box: list[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def shared(one: list[float], other: list[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0) * max(height, 0)


def iou(one: list[float], other: list[float]) -> float:
    return shared(one, other) / (size(one) + size(other) - shared(one, other))


@pytest.mark.parametrize("seed", range(5))
def test_equals_a_plain_derivation(seed: int) -> None:
    images = detected_images(seed)
    counts = counted(images, threshold=0.2).counts
    cells = plain(images, 0.2)
    assert {(i, j): counts[i, j] for i, j in zip(*np.nonzero(counts))} == cells
    assert len(cells) > 10 and counts[3, :3].all()  # the data must be able to reveal a wrong matrix
    objects_of = np.bincount(
        np.concatenate([truth.class_ids[~truth.difficult] for _, truth, _ in images]), minlength=3
    )
    assert counts[:3].sum(axis=1).tolist() == objects_of.tolist()


# supervision 0.31.2, ConfusionMatrix.from_detections(predictions, targets, CLASSES, 0.2, 0.5).matrix of the
# images without crowds and difficult objects, which it does not know; rows are objects there too.
SUPERVISION: dict[int, list[list[int]]] = {
    0: [[9, 0, 1, 8], [0, 5, 0, 10], [0, 0, 7, 9], [12, 18, 9, 0]],
    1: [[7, 0, 0, 7], [0, 3, 1, 14], [0, 2, 5, 8], [22, 11, 16, 0]],
    2: [[7, 1, 1, 4], [1, 3, 0, 10], [1, 0, 7, 10], [8, 17, 17, 0]],
    3: [[7, 2, 0, 11], [0, 6, 0, 8], [1, 0, 5, 13], [17, 13, 17, 0]],
}


@pytest.mark.parametrize("seed", SUPERVISION)
def test_equals_supervision(seed: int) -> None:
    images = detected_images(seed, unsure=False)
    assert counted(images, threshold=0.2).counts.tolist() == SUPERVISION[seed]


def test_one_class_and_a_thousand() -> None:
    predicted, truth = detections((at(0), 0, 0.9), (at(50), 0, 0.9)), objects((at(0), 0))
    assert counted([(predicted, truth, NOTHING)], ("ant",)).counts.tolist() == [[1, 0], [1, 0]]
    names = [f"class {number}" for number in range(1000)]
    predicted, truth = detections((at(0), 999, 0.9)), objects((at(0), 500))
    confusion = counted([(predicted, truth, NOTHING)], names)
    assert confusion.counts.shape == (1001, 1001) and confusion.counts.sum() == 1
    assert confusion.pairs() == [("class 500", "class 999", 1)] == confusion.confused()
    assert confusion.labels[-1] == "(background)"


def test_pairs_and_records() -> None:
    predicted = detections((at(0), BEE, 0.9), (at(30), BEE, 0.9), (at(60), ANT, 0.9), (at(90), CAT, 0.9))
    truth = objects((at(0), ANT), (at(30), ANT), (at(60), ANT), (at(120), CAT))
    confusion = counted([(predicted, truth, NOTHING)])
    assert confusion.pairs() == [
        ("ant", "bee", 2), ("ant", "ant", 1), ("cat", None, 1), (None, "cat", 1)
    ]  # fmt: skip
    assert confusion.confused() == [("ant", "bee", 2)]
    assert confusion.records()[2] == {"annotated": "cat", "detected": None, "count": 1}


def test_what_is_refused_and_reset() -> None:
    metric = ConfusionMetric(CLASSES)
    with pytest.raises(ValueError, match="predicted: expected scores, got None"):
        metric.update(0, objects((at(0), ANT)), NOTHING)
    with pytest.raises(ValueError, match="class ids: expected 0..2, got 3..3"):
        metric.update(0, detections((at(0), 3, 0.9)), NOTHING)
    metric.update(0, detections((at(0), ANT, 0.9)), NOTHING)
    assert metric.compute()["confusion"] == [{"annotated": None, "detected": "ant", "count": 1}]
    metric.reset()
    assert metric.compute() == {"confusion": [], "per_class": {}}
