"""F1Metric: counts, precision, recall, F1 and the best threshold, computed by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gluon_yolo.detections import Detections
from gluon_yolo.evaluation.f1 import F1Metric
from gluon_yolo.evaluation.table import f1_line, f1_table
from gluon_yolo.evaluation.voc_ap import VOCMetric

CLASSES = ("ant", "bee", "cat")
AT = [[10 * place, 0, 10 * place + 8, 8] for place in range(9)]  # disjoint boxes


def observed(*images: tuple[Detections, Detections], **options: Any) -> dict[str, Any]:
    metric = F1Metric(CLASSES, **options)
    for index, (predicted, truth) in enumerate(images):
        metric.update(index, predicted, truth)
    return metric.compute()


def found(*rows: tuple[int, int, float]) -> Detections:
    """Return predictions: position, class, score."""
    return Detections([AT[row[0]] for row in rows], [row[1] for row in rows], [row[2] for row in rows])


def objects(*rows: tuple[int, int], difficult: tuple[int, ...] = ()) -> Detections:
    """Return objects: position, class; and the positions of the difficult ones."""
    marks = [row[0] in difficult for row in rows]
    return Detections([AT[row[0]] for row in rows], [row[1] for row in rows], difficult=marks)


# Two images. Ants: four objects, found at 0.9, 0.6 and 0.2, wrong at 0.8 and 0.1. Bees: one object, which is
# missed, and one wrong prediction at 0.4. There are no cats.
TWO = (
    (found((0, 0, 0.9), (5, 0, 0.8), (1, 0, 0.6), (6, 1, 0.4)), objects((0, 0), (1, 0), (2, 1))),
    (found((0, 0, 0.2), (7, 0, 0.1)), objects((0, 0), (3, 0))),
)


def test_by_hand() -> None:
    numbers = observed(*TWO)
    ant, bee, cat = (numbers["per_class"][name] for name in CLASSES)
    assert numbers["F1_threshold"] == 0.3
    assert (ant["TP"], ant["FP"], ant["FN"]) == (2, 1, 2)
    assert (ant["precision"], ant["recall"], ant["F1"]) == pytest.approx((2 / 3, 2 / 4, 4 / 7))
    # F1 after each ant: 2/5, 2/6, 4/7, 6/8, 6/9: best with the four whose scores are above the last one's,
    # 0.1.
    assert (ant["best_F1"], ant["best_precision"], ant["best_recall"]) == pytest.approx((6 / 8, 3 / 4, 3 / 4))
    assert ant["best_threshold"] == pytest.approx((0.2 + 0.1) / 2)
    assert (bee["TP"], bee["FP"], bee["FN"], bee["precision"], bee["recall"], bee["F1"]) == (0, 1, 1, 0, 0, 0)
    assert bee["best_F1"] == 0 and math.isnan(bee["best_threshold"])
    assert (cat["TP"], cat["FP"], cat["FN"]) == (0, 0, 0)
    assert all(math.isnan(cat[key]) for key in ("precision", "recall", "F1", "best_F1", "best_threshold"))
    # Together: 2 found, 2 wrong, 3 missed; with the score of 0.2, 3 found, 2 wrong, 2 missed.
    assert (numbers["TP"], numbers["FP"], numbers["FN"]) == (2, 2, 3)
    assert (numbers["precision"], numbers["recall"], numbers["F1"]) == pytest.approx((2 / 4, 2 / 5, 4 / 9))
    assert numbers["best_F1"] == pytest.approx(6 / 10) and numbers["best_threshold"] == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("threshold", "counts"),
    [
        (0.0, (3, 3, 2)),
        (0.1, (3, 2, 2)),
        (0.5, (2, 1, 3)),
        (0.6, (1, 1, 4)),
        (0.9, (0, 0, 5)),
        (1.0, (0, 0, 5)),
    ],
)
def test_thresholds(threshold: float, counts: tuple[int, int, int]) -> None:
    """A score equal to the threshold is left out, as in a predictor."""
    numbers = observed(*TWO, threshold=threshold)
    assert (numbers["TP"], numbers["FP"], numbers["FN"]) == counts
    assert math.isnan(numbers["precision"]) == (threshold >= 0.9) and numbers["recall"] == counts[0] / 5


def test_difficult_objects_count_neither_way() -> None:
    """Found or not; also a second prediction of one. A second one of another object is wrong."""
    truth = objects((0, 0), (1, 0), (2, 0), difficult=(0, 2))
    numbers = observed((found((0, 0, 0.9), (0, 0, 0.8), (1, 0, 0.7), (1, 0, 0.6)), truth))
    assert (numbers["TP"], numbers["FP"], numbers["FN"]) == (1, 1, 0)
    assert numbers["best_F1"] == 1 and 0.6 < numbers["best_threshold"] < 0.7


def test_equal_scores_are_not_parted() -> None:
    """One right and one wrong at 0.5: either both or none."""
    numbers = observed((found((0, 0, 0.5), (5, 0, 0.5)), objects((0, 0))))
    assert numbers["best_F1"] == pytest.approx(2 / 3) and numbers["best_threshold"] == 0.25


def test_no_threshold_below_what_was_asked_for() -> None:
    numbers = observed((found((0, 0, 0.5)), objects((0, 0))), least_score=0.4)
    assert numbers["best_F1"] == 1 and numbers["best_threshold"] == pytest.approx(0.45)


def test_the_highest_of_equal_ones() -> None:
    """One of two found at 0.9, then one right and two wrong: F1 is 2/3 after the first, and at the end."""
    predicted = found((0, 0, 0.9), (5, 0, 0.7), (6, 0, 0.6), (1, 0, 0.5))
    numbers = observed((predicted, objects((0, 0), (1, 0))))
    assert numbers["best_F1"] == pytest.approx(2 / 3) and numbers["best_threshold"] == pytest.approx(0.8)


def test_nothing_at_all() -> None:
    numbers = observed()
    assert (numbers["TP"], numbers["FP"], numbers["FN"]) == (0, 0, 0) and math.isnan(numbers["F1"])
    metric = F1Metric(CLASSES)
    metric.update(0, *TWO[0])
    metric.reset()
    assert metric.compute()["TP"] == 0


def test_the_best_threshold_gives_what_it_promises() -> None:
    """On random data: no other threshold is better, and counting at it gives the same F1."""
    rng = np.random.default_rng(3)
    images = []
    for _ in range(30):
        places = rng.permutation(9)
        truth = objects(*((int(place), int(rng.integers(2))) for place in places[:4]))
        rows = [(int(rng.integers(9)), int(rng.integers(2)), float(rng.random())) for _ in range(6)]
        images.append((found(*rows), truth))
    numbers = observed(*images)
    again = observed(*images, threshold=numbers["best_threshold"])
    assert again["F1"] == pytest.approx(numbers["best_F1"])
    assert (again["precision"], again["recall"]) == pytest.approx(
        (numbers["best_precision"], numbers["best_recall"])
    )
    others = [observed(*images, threshold=share)["F1"] for share in np.linspace(0, 0.99, 100)]
    assert max(others) <= numbers["best_F1"] + 1e-9


def test_which_prediction_is_which_object_as_for_the_average_precision() -> None:
    """IoU with VOC's pixels, whose x2 and y2 are inclusive: 4 of 8 in width is 5 of 9, and enough."""
    predicted = Detections([[0, 0, 4, 8]], [0], [0.9])
    truth = Detections([[0, 0, 8, 8]], [0])
    metric = VOCMetric(CLASSES)
    metric.update(0, predicted, truth)
    assert observed((predicted, truth))["TP"] == 1 and metric.compute()["VOC_mAP50"] == 1


def test_what_people_read() -> None:
    lines = f1_table(observed(*TWO)).splitlines()
    assert lines[0].split() == (
        "score > 0.3 found wrong missed precision recall F1 best F1 with score >".split()
    )
    assert lines[2].split() == "ant 2 1 2 0.667 0.500 0.571 0.750 0.150".split()
    assert lines[3].split() == "bee 0 1 1 0.000 0.000 0.000 0.000 -".split()
    assert lines[4].split() == "cat 0 0 0 - - - - -".split()
    assert lines[-1].split() == "together 2 2 3 0.500 0.400 0.444 0.600 0.150".split()
    assert len({len(line) for line in lines}) == 1
    assert f1_line(observed(*TWO)) == (
        "score > 0.3: precision 0.500, recall 0.400, F1 0.444 (found 2, wrong 2, missed 3); "
        "F1 is best, 0.600, with score > 0.150"
    )
    assert f1_line(observed()) == "score > 0.3: precision -, recall -, F1 - (found 0, wrong 0, missed 0)"
