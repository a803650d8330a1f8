"""The choice of a dynamic assigner, and its loss, against plain loops; no gradient goes through it."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from gluon_yolo.assigners import BOX, CLASS, DELTAS, INDEX, WEIGHT, assign, rows_per_object
from gluon_yolo.boxes import iou_matrix
from gluon_yolo.data.loading.collate import pad_targets
from gluon_yolo.detections import Detections
from gluon_yolo.losses.yolo3 import YOLOv3Loss
from gluon_yolo.spec import DetectionSpec
from tests.assigners.plain import planes
from tests.losses.gradients import losses_and_gradients
from tests.losses.test_distillation import plain_yolo3
from tests.losses.test_yolo3 import SIZE_HW, anchor_rows, plain_losses

ANCHORS = (((10, 13), (16, 30)), ((40, 40),))
SPEC = DetectionSpec(
    ("cat", "dog", "bird"), ANCHORS, (8, 16), ignore_iou=0.5, assigner="dynamic", xy_scales=(2, 2)
)
SQUARED = dataclasses.replace(SPEC, box_coding="squared_sigmoid")
EACH = rows_per_object(SPEC)


def plain_choice(maps, targets, spec) -> np.ndarray:
    """Return the weights (B, M) of the rows after the choice."""
    predictions, boxes = anchor_rows(maps, spec)
    weights = np.zeros(targets.shape[:2])
    for b, rows in enumerate(targets):
        bids: dict[int, list[tuple[float, int]]] = {}
        for first in range(0, len(rows), EACH):
            candidates = [n for n in range(first, first + EACH) if rows[n, WEIGHT] > 0]
            costs, overlaps = {}, []
            for n in candidates:
                index = int(rows[n, INDEX])
                overlap = iou_matrix(boxes[b, index][None], rows[n, BOX].astype(float)[None])[0, 0]
                overlaps.append(overlap)
                cost = -3 * math.log(overlap + 1e-8)
                objectness, *classes = 1 / (1 + np.exp(-predictions[b, index, 4:]))
                for class_id, probability in enumerate(classes):
                    joint = math.sqrt(probability * objectness)
                    cost -= math.log(joint if class_id == rows[n, CLASS] else 1 - joint)
                costs[n] = cost
            positives = max(1, int(sum(sorted(overlaps)[-10:])))
            for n in sorted(candidates, key=costs.__getitem__)[:positives]:
                bids.setdefault(int(rows[n, INDEX]), []).append((costs[n], n))
        for offers in bids.values():
            winner = min(offers)[1]
            weights[b, winner] = rows[winner, WEIGHT]
    return weights


def fitted_maps(rng, spec, targets, noise: float):
    """Return maps whose predictions at some candidates fit their objects, but for noise."""
    shapes = [
        (len(targets), len(level) * 8, SIZE_HW[0] // stride, SIZE_HW[1] // stride)
        for level, stride in zip(spec.anchors, spec.strides)
    ]
    maps = [rng.normal(0, 1, shape) for shape in shapes]
    first = [plane[3] for plane in planes(spec, SIZE_HW)]
    for b, rows in enumerate(targets):
        for row in rows:
            if row[WEIGHT] == 0 or rng.random() < 0.3:
                continue
            anchor = np.searchsorted(first, row[INDEX], side="right") - 1
            level, number = divmod(anchor, 2)  # two anchors on the first level, one on the second
            line, column = divmod(int(row[INDEX]) - first[anchor], maps[level].shape[3])
            deltas = row[DELTAS].astype(float)
            bounded = slice(0, 2) if spec.box_coding == "yolo3" else slice(0, 4)
            values = np.clip(deltas[bounded], 0.02, 0.98)
            deltas[bounded] = np.log(values / (1 - values))
            maps[level][b, 8 * number : 8 * number + 4, line, column] = deltas + rng.normal(0, noise, 4)
    return [raw.astype(np.float32) for raw in maps]


def case(seed: int, spec=SPEC, mixup: bool = False, noise: float = 0.3):
    """Return maps, and targets of two images, in the first of which pairs of objects are close together."""
    rng = np.random.default_rng(seed)
    height, width = SIZE_HW
    targets = []
    for count in (6, 2):
        centres, sides = rng.uniform(0, (width, height), (count, 2)), rng.uniform(8, 45, (count, 2))
        if count > 2:
            centres[1::2], sides[1::2] = centres[::2] + 2, sides[::2] + 1
        boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)
        weights = rng.uniform(0.1, 0.9, count) if mixup else None
        targets.append(assign(Detections(boxes, rng.integers(0, 3, count)), weights, spec, SIZE_HW))
    targets = pad_targets(targets, 8 * rows_per_object(spec))
    return fitted_maps(rng, spec, targets, noise), targets


def chosen(targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the targets with other weights."""
    targets = targets.copy()
    targets[..., WEIGHT] = weights
    return targets


@pytest.mark.parametrize("spec", [SPEC, SQUARED], ids=["yolo3", "squared_sigmoid"])
@pytest.mark.parametrize(
    ("seed", "box_loss", "mixup", "hybridize"),
    [(0, "auto", False, False), (1, "ciou", True, True), (2, "giou", False, True), (3, "auto", True, True)],
)
def test_equals_the_plain_loop(spec, seed, box_loss, mixup, hybridize):
    maps, targets = case(seed, spec, mixup)
    weights = plain_choice(maps, targets, spec)
    by_object = (weights > 0).reshape(2, -1, EACH).sum(axis=2)
    assert by_object.max() > 2, "no object has several positives"
    assert (weights > 0).sum() < (targets[..., WEIGHT] > 0).sum() / 2
    loss = YOLOv3Loss(spec, 0.0, box_loss)
    losses, gradients = losses_and_gradients(loss, maps, targets, hybridize)
    expected, _ = plain_losses(maps, chosen(targets, weights), spec=spec, box_loss=loss.box_loss)
    np.testing.assert_allclose(losses, expected, rtol=2e-4)
    # The same loss with these positives by a fixed assigner has the same gradients.
    fixed = dataclasses.replace(spec, assigner="best_shape")
    given = losses_and_gradients(YOLOv3Loss(fixed, 0.0, box_loss), maps, chosen(targets, weights), False)
    for found, right in zip(gradients, given[1]):
        np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-5)


def test_cases_have_contested_anchors():
    """Without that, the test above says nothing of the bids."""
    contested = 0
    for seed in range(4):
        maps, targets = case(seed)
        weights = plain_choice(maps, targets, SPEC)
        alone = np.zeros_like(weights)
        for first in range(0, targets.shape[1], EACH):
            part = targets.copy()
            part[:, :first, WEIGHT] = part[:, first + EACH :, WEIGHT] = 0
            alone += plain_choice(maps, part, SPEC)
        contested += ((alone > 0) & (weights == 0)).sum()
    assert contested >= 3


def test_a_teachers_boxes_are_candidates_too():
    maps, targets = case(4, mixup=True)
    probabilities = np.random.default_rng(4).uniform(0, 1, (*targets.shape[:2], 3))
    soft = np.concatenate([targets, probabilities], axis=2).astype(np.float32)
    loss = YOLOv3Loss(SPEC, soft=True)
    losses, _ = losses_and_gradients(loss, maps, soft, True)
    weights = plain_choice(maps, soft, SPEC)
    assert 0 < (weights > 0).sum() < (targets[..., WEIGHT] > 0).sum() / 2
    np.testing.assert_allclose(losses, plain_yolo3(maps, chosen(soft, weights), SPEC, "yolo3"), rtol=2e-4)


def test_the_same_object_twice_is_one():
    """Of equal costs the first row has the anchor: it is no positive twice."""
    box = np.array([[20.0, 10, 44, 40]] * 2)
    targets = pad_targets([assign(Detections(box, [1, 1]), None, SPEC, SIZE_HW)], 8 * EACH)
    maps = [np.zeros((1, len(level) * 8, 48 // s, 80 // s), np.float32) for level, s in zip(ANCHORS, (8, 16))]
    loss = YOLOv3Loss(SPEC)
    twice, _ = losses_and_gradients(loss, maps, targets, False)
    once = targets.copy()
    once[:, EACH:, WEIGHT] = 0
    np.testing.assert_allclose(twice, losses_and_gradients(YOLOv3Loss(SPEC), maps, once, False)[0], rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 60.0, -60.0])
def test_extreme_maps_have_finite_losses_and_gradients(value):
    _, targets = case(5)
    maps = [
        np.full((2, len(level) * 8, 48 // s, 80 // s), value, np.float32)
        for level, s in zip(ANCHORS, (8, 16))
    ]
    losses, gradients = losses_and_gradients(YOLOv3Loss(SPEC, box_loss="ciou"), maps, targets, True)
    assert np.isfinite(losses).all() and all(np.isfinite(each).all() for each in gradients)
