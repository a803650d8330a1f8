"""VOCMetric: against GluonCV on random data, and against values computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gluon_yolo.detections import Detections
from gluon_yolo.evaluation.voc_ap import VOCMetric

CLASSES = ("ant", "bee", "cat", "dog", "eel")


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner = rng.integers(0, 60, (count, 2))
    return np.concatenate([corner, corner + rng.integers(1, 40, (count, 2))], axis=1).astype(np.float32)


def random_image(rng: np.random.Generator, score_steps: int) -> tuple[Detections, Detections]:
    """Return objects, and predictions near some of them and elsewhere; no eel objects, no predicted dogs."""
    count = rng.integers(0, 8)
    truth = Detections(
        random_boxes(rng, count), rng.choice([0, 1, 2, 3], count), difficult=rng.random(count) < 0.25
    )
    near = np.repeat(np.arange(count), rng.integers(0, 3, count))
    moved = truth.boxes[near] + rng.normal(0, 2, (len(near), 4)).astype(np.float32)
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
    stray = rng.integers(0, 6)
    boxes = np.concatenate([moved, random_boxes(rng, stray)])
    class_ids = np.concatenate([truth.class_ids[near], rng.choice([0, 1, 2, 4], stray)])
    scores = rng.integers(1, score_steps, len(boxes)) / score_steps
    predicted = Detections(boxes, class_ids, scores)
    return predicted[predicted.class_ids != 3], truth


def gluoncv_numbers(images: list[tuple[Detections, Detections]], iou: float) -> list[dict[str, float]]:
    """Return GluonCV's per-class values and mean, in both definitions."""
    from gluon_yolo import mxnet_compat

    mxnet_compat.gluoncv()
    from gluoncv.utils.metrics.voc_detection import VOC07MApMetric, VOCMApMetric

    answers = []
    for kind in (VOC07MApMetric, VOCMApMetric):
        metric = kind(iou_thresh=iou, class_names=list(CLASSES))
        for predicted, truth in images:
            metric.update(
                predicted.boxes[None],
                predicted.class_ids[None],
                predicted.scores[None],
                truth.boxes[None],
                truth.class_ids[None],
                truth.difficult[None],
            )
        answers.append(dict(zip(*metric.get())))
    return answers


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("iou", [0.5, 0.75])
# 8 steps: most scores are shared by many predictions; 10**6: hardly any.
@pytest.mark.parametrize("score_steps", [8, 10**6])
def test_equals_gluoncv_on_random_data(seed: int, iou: float, score_steps: int) -> None:
    rng = np.random.default_rng(seed)
    images = [random_image(rng, score_steps) for _ in range(40)]
    metric = VOCMetric(CLASSES, iou)
    for predicted, truth in images:
        metric.update(0, predicted, truth)
    ours = metric.compute()
    theirs07, theirs = gluoncv_numbers(images, iou)
    for name in CLASSES:
        for key, judge in (("AP07", theirs07), ("AP", theirs)):
            expected = pytest.approx(judge[name], abs=1e-6, nan_ok=True)
            assert ours["per_class"][name][key] == expected, (name, key)
    suffix = f"mAP{round(100 * iou)}"
    assert ours[f"VOC07_{suffix}"] == pytest.approx(theirs07["mAP"], abs=1e-6)
    assert ours[f"VOC_{suffix}"] == pytest.approx(theirs["mAP"], abs=1e-6)
    assert 0.02 < ours[f"VOC_{suffix}"] < 0.95  # the data must be able to reveal a wrong metric
    assert math.isnan(ours["per_class"]["eel"]["AP"]) and ours["per_class"]["dog"]["AP"] == 0.0


def test_worked_out_by_hand() -> None:
    # Two objects. Best score: right; next: the same object again, wrong; last: the second object, right.
    # Recall 1/2 1/2 1, precision 1 1/2 2/3; area 1/2*1 + 1/2*2/3; eleven points: six at 1, five at 2/3.
    truth = Detections([[0, 0, 9, 9], [20, 20, 29, 29]], [0, 0])
    predicted = Detections([[0, 0, 9, 9], [0, 0, 9, 8], [20, 20, 29, 29]], [0, 0, 0], [0.9, 0.8, 0.7])
    metric = VOCMetric(["thing"])
    metric.update(0, predicted, truth)
    eleven_points, area = pytest.approx((6 + 5 * 2 / 3) / 11), pytest.approx(5 / 6)
    assert metric.compute() == {
        "VOC07_mAP50": eleven_points,
        "VOC_mAP50": area,
        "per_class": {"thing": {"AP07": eleven_points, "AP": area, "truths": 2}},
    }


def test_overlap_counts_the_last_pixel() -> None:
    # Pixels 0..1 and 0..3 have an IoU of a half when the corner pixels belong to the box, else of a third.
    metric = VOCMetric(["thing"])
    metric.update(0, Detections([[0, 0, 1, 0]], [0], [1.0]), Detections([[0, 0, 3, 0]], [0]))
    assert metric.compute()["VOC_mAP50"] == pytest.approx(1.0)


def test_difficult_objects_count_neither_way() -> None:
    truth = Detections([[0, 0, 9, 9], [20, 20, 29, 29]], [0, 0], difficult=[False, True])
    predicted = Detections([[20, 20, 29, 29], [20, 20, 29, 29], [0, 0, 9, 9]], [0, 0, 0], [0.9, 0.8, 0.7])
    metric = VOCMetric(["thing"])
    metric.update(0, predicted, truth)
    assert metric.compute()["VOC_mAP50"] == pytest.approx(1.0)


def test_nothing_seen_gives_nan_and_reset_forgets() -> None:
    metric = VOCMetric(["thing"])
    assert math.isnan(metric.compute()["VOC07_mAP50"])
    metric.update(0, Detections.empty(scored=True), Detections([[0, 0, 9, 9]], [0]))
    assert metric.compute()["VOC07_mAP50"] == 0.0
    metric.reset()
    assert math.isnan(metric.compute()["VOC07_mAP50"])


@pytest.mark.parametrize(
    ("predicted", "message"),
    [
        (Detections([[0, 0, 1, 1]], [0]), "scores"),  # ground truth instead of predictions
        (Detections([[0, 0, 1, 1]], [1], [0.5]), "0..0"),  # a class of another model
    ],
)
def test_refuses_what_it_cannot_score(predicted: Detections, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VOCMetric(["thing"]).update(0, predicted, Detections.empty())
