"""Curves: rates over the score threshold and precision over recall, by hand and against the other metrics."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.evaluation.curves import Curves, curve_of
from gluon_yolo.evaluation.f1 import F1Metric
from gluon_yolo.evaluation.matching import Matching
from gluon_yolo.evaluation.voc_ap import VOCMetric, area_ap
from tests.evaluation.detected_images import CLASSES as NAMES
from tests.evaluation.detected_images import detected_images
from tests.evaluation.test_f1 import CLASSES, TWO, found, objects

NAN = pytest.approx(float("nan"), nan_ok=True)


def matching_of(*images, names=CLASSES) -> Matching:
    matching = Matching(names)
    for predicted, truth in images:
        matching.update(predicted, truth)
    return matching


def test_by_hand() -> None:
    """Ants: four objects; right at 0.9, wrong at 0.8, right at 0.6 and 0.2, wrong at 0.1."""
    curve = curve_of(matching_of(*TWO).of_class(0), samples=11)  # thresholds 0, 0.1 ... 1
    assert curve.thresholds == pytest.approx(np.arange(11) / 10)
    # A score that equals the threshold is not above it.
    assert curve.recall == pytest.approx(np.array([3, 3, 2, 2, 2, 2, 1, 1, 1, 0, 0]) / 4)
    right, all_of = np.array([3, 3, 2, 2, 2, 2, 1, 1, 1]), np.array([5, 4, 3, 3, 3, 3, 2, 2, 1])
    assert curve.precision == pytest.approx([*(right / all_of), float("nan"), float("nan")], nan_ok=True)
    assert curve.f1 == pytest.approx([*(2 * right / (all_of + 4)), 0, 0])
    # Recall 1/4 with precision 1, 2/4 with 2/3, 3/4 with 3/4, which is better and so counts for 2/4 too.
    assert curve.recalls == pytest.approx(np.arange(8) / 10)
    assert curve.precisions == pytest.approx([1, 1, 1, *[3 / 4] * 5])


def test_a_class_without_objects_and_one_without_detections() -> None:
    curves = Curves(matching_of((found((0, 1, 0.9)), objects((1, 2)))))
    bee, cat, ant = (curves.of_class(name) for name in ("bee", "cat", "ant"))
    assert bee.precision[0] == 0 and bee.recall[0] == NAN and bee.f1[0] == 0 and not len(bee.recalls)
    assert cat.precision[0] == NAN and cat.recall[0] == 0 and cat.f1[0] == 0 and not len(cat.precisions)
    assert ant.precision[0] == NAN and ant.recall[0] == NAN and ant.f1[0] == NAN


def test_difficult_objects_count_neither_way() -> None:
    truth = objects((0, 0), (1, 0), difficult=(0,))
    curve = Curves(matching_of((found((0, 0, 0.9), (1, 0, 0.5)), truth))).together
    assert curve.precision[400] == 1 and curve.recall[400] == 1 and curve.precision[700] == NAN


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_other_metrics(seed: int) -> None:
    images = [(predicted, truth) for predicted, truth, _ in detected_images(seed)]
    matching = matching_of(*images, names=NAMES)
    curves = Curves(matching)
    for threshold in (0.0, 0.3, 0.64):
        metric = F1Metric(NAMES, threshold, matching=matching)
        numbers = metric.compute()
        at = round(1000 * threshold)
        for curve, expected in (
            (curves.together, numbers), (curves.of_class("bee"), numbers["per_class"]["bee"])
        ):  # fmt: skip
            assert curve.precision[at] == pytest.approx(expected["precision"], nan_ok=True)
            assert curve.recall[at] == pytest.approx(expected["recall"])
            assert curve.f1[at] == pytest.approx(expected["F1"])
    voc = VOCMetric(NAMES)
    for index, (predicted, truth) in enumerate(images):
        voc.update(index, predicted, truth)
    for name, entry in voc.compute()["per_class"].items():
        curve = curves.of_class(name)
        assert area_ap(curve.recalls, curve.precisions) == pytest.approx(entry["AP"], abs=0.002)


def test_few_samples_of_many_detections() -> None:
    rng = np.random.default_rng(0)
    rows = [(int(place), 0, float(score)) for place, score in zip(rng.integers(0, 9, 5000), rng.random(5000))]
    curves = Curves(matching_of((found(*rows), objects(*((place, 0) for place in range(9))))))
    assert len(curves.together.thresholds) == len(curves.together.recalls) == 1001
    numbers = curves.numbers()
    assert {len(values) for values in numbers.values()} == {101}
    assert list(numbers) == [
        "threshold", "precision", "recall", "F1", "recall_levels", "precision_at_recall"
    ]  # fmt: skip


def test_a_frame() -> None:
    pytest.importorskip("pandas")
    frame = Curves(matching_of(*TWO)).to_df("ant")
    assert list(frame.columns) == ["threshold", "precision", "recall", "F1"] and len(frame) == 1001
    assert frame.recall[500] == 2 / 4
    with pytest.raises(ValueError):
        Curves(matching_of(*TWO)).to_df("dog")
