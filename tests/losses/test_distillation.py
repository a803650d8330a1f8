"""The losses against a teacher: NumPy loops over every anchor, slopes of their sums, and what they leave."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gluon_yolo.assigners import BOX, BOX_WEIGHT, COLUMNS, DELTAS, INDEX, WEIGHT
from gluon_yolo.boxes import iou_matrix
from gluon_yolo.losses import make_loss
from gluon_yolo.losses.distillation import DistillationLoss
from gluon_yolo.losses.yolo3 import IOU_GAIN
from gluon_yolo.training.soft_targets import soft_targets
from gluon_yolo.visualize.curves import LOSSES
from tests.losses import test_fastestv2, test_yolo3
from tests.losses.gradients import losses_and_gradients
from tests.losses.test_iou import plain
from tests.losses.test_yolo3 import SPEC, SQUARED, anchor_rows, sigmoid_cross_entropy

BY_CELL = test_fastestv2.SPEC


def soft_case(seed: int, spec=SPEC, spread: float = 1.0):
    """Return raw maps, targets of annotations, and soft targets whose boxes two anchors' rows share."""
    is_by_cell = spec.score_rule == BY_CELL.score_rule
    case = test_fastestv2 if is_by_cell else test_yolo3
    maps, targets = case.random_case(seed, spread=spread)
    _, soft = case.random_case(seed + 100, mixup=True)
    rng = np.random.default_rng(seed)
    probabilities = rng.uniform(0, 1, (*soft.shape[:2], spec.num_classes))
    if is_by_cell:
        probabilities /= probabilities.sum(axis=2, keepdims=True)
    return maps, targets, np.concatenate([soft, probabilities], axis=2).astype(np.float32)


def plain_yolo3(maps, soft, spec, box_loss):
    """Return the teacher's losses (4, B) or (3, B) of YOLOv3's layout, anchor by anchor."""
    predictions, corners = anchor_rows(maps, spec)
    losses = np.zeros((4 if box_loss == "yolo3" else 3, len(soft)))
    for b, rows in enumerate(soft):
        taken = {int(row[INDEX]): row for row in rows if row[WEIGHT] > 0}
        best = iou_matrix(corners[b], rows[:, BOX]).max(axis=1)
        for n, x in enumerate(predictions[b]):
            if n not in taken:
                losses[0, b] += sigmoid_cross_entropy(x[4], 0) if best[n] <= spec.ignore_iou else 0
                continue
            row = taken[n]
            o = row[WEIGHT]
            losses[0, b] += sigmoid_cross_entropy(x[4], o)
            losses[-1, b] += o * sigmoid_cross_entropy(x[5:], row[COLUMNS:]).sum()
            if box_loss == "yolo3":
                losses[1, b] += o * row[BOX_WEIGHT] * sigmoid_cross_entropy(x[:2], row[DELTAS][:2]).sum()
                losses[2, b] += o * row[BOX_WEIGHT] * np.abs(x[2:4] - row[DELTAS][2:]).sum()
            else:
                overlap = plain(box_loss, corners[b, n], row[BOX].astype(float))
                losses[1, b] += IOU_GAIN * o * row[BOX_WEIGHT] * (1 - overlap)
    return losses


def plain_by_cell(maps, soft, box_loss="ciou"):
    """Return the teacher's losses (3,) of Yolo-FastestV2's layout, of the whole batch."""
    anchors = test_fastestv2.ANCHORS
    losses, first = np.zeros(3), 0
    for level, (raw, balance) in enumerate(zip(maps, (1.0, 0.4))):
        height, width = raw.shape[2:]
        raw = raw.astype(float)
        entropy = np.logaddexp(0, raw[:, 4 * anchors : 5 * anchors])
        boxes, classes, weights = [], [], []
        for b, rows in enumerate(soft):
            for row in rows:
                local = int(row[INDEX]) - first
                if row[WEIGHT] == 0 or not 0 <= local < anchors * height * width:
                    continue
                anchor, y, x = np.unravel_index(local, (anchors, height, width))
                logit = raw[b, 4 * anchors + anchor, y, x]
                entropy[b, anchor, y, x] = sigmoid_cross_entropy(logit, row[WEIGHT])
                box = test_fastestv2.decode(raw[b, 4 * anchor : 4 * anchor + 4, y, x], x, y, level, anchor)
                boxes.append(1 - plain(box_loss, box, row[BOX].astype(float)))
                logits = raw[b, 5 * anchors :, y, x]
                classes.append(-(row[COLUMNS:] * (logits - np.log(np.exp(logits).sum()))).sum())
                weights.append(row[WEIGHT])
        losses[0] += 64 * balance * entropy.mean()
        losses[1] += 3.2 * np.average(boxes, weights=weights)
        losses[2] += 32 / 3 * np.average(classes, weights=weights)
        first += anchors * height * width
    return losses


def run(spec, maps, targets, soft, box_loss="auto", weight=1.0, smooth=0.0, hybridize=True):
    """Return all losses, one row (B,) for each name, the gradients of the raw maps, and the names."""
    taught = DistillationLoss(make_loss(spec, box_loss, smooth), spec, weight)
    return (*losses_and_gradients(taught, maps, targets, hybridize, soft), taught.names)


@pytest.mark.parametrize(
    ("spec", "box_loss", "hybridize"),
    [
        (SPEC, "yolo3", False),
        (SPEC, "yolo3", True),
        (SPEC, "giou", True),
        (SPEC, "diou", False),
        (SQUARED, "ciou", True),
    ],
)
def test_of_yolo3s_layout_equals_the_plain_loop(spec, box_loss, hybridize):
    maps, targets, soft = soft_case(5)
    losses, _, names = run(spec, maps, targets, soft, box_loss, hybridize=hybridize)
    expected = plain_yolo3(maps, soft, spec, box_loss)
    np.testing.assert_allclose(losses[len(losses) // 2 :], expected / 2, rtol=1e-4)
    own = (
        ("objectness", "centre", "scale", "class") if box_loss == "yolo3" else ("objectness", "box", "class")
    )
    assert names == (*own, *(f"teacher_{name}" for name in own))
    assert set(names) < set(LOSSES), "curves.png leaves them out"


@pytest.mark.parametrize("hybridize", [False, True])
def test_of_fastestv2s_layout_equals_the_plain_loop(hybridize):
    maps, targets, soft = soft_case(6, BY_CELL)
    losses, _, _ = run(BY_CELL, maps, targets, soft, hybridize=hybridize)
    np.testing.assert_allclose(losses[3:].mean(axis=1), plain_by_cell(maps, soft) / 2, rtol=1e-5)


@pytest.mark.parametrize("spec", [SPEC, BY_CELL], ids=["yolo3", "by cell"])
def test_the_losses_against_annotations_have_the_same_digits(spec):
    maps, targets, soft = soft_case(7, spec)
    losses, _, _ = run(spec, maps, targets, soft, smooth=0.02)
    alone, _ = losses_and_gradients(make_loss(spec, "auto", 0.02), maps, targets, True)
    np.testing.assert_array_equal(losses[: len(alone)], alone / 2)


def test_annotations_and_teacher_share_the_losses_by_the_weight():
    """Halves for a weight of 1; two thirds and one third for 0.5."""
    maps, targets, soft = soft_case(8)
    one, gradients, _ = run(SPEC, maps, targets, soft)
    half, halved, _ = run(SPEC, maps, targets, soft, weight=0.5)
    _, alone = losses_and_gradients(make_loss(SPEC), maps, targets, True)
    np.testing.assert_allclose(half[:4], one[:4] * (4 / 3), rtol=1e-6)
    np.testing.assert_allclose(half[4:], one[4:] * (2 / 3), rtol=1e-6)
    for level in range(2):
        expected = (alone[level] + 2 * gradients[level]) / 3
        np.testing.assert_allclose(halved[level], expected, rtol=1e-3, atol=1e-5)


def plain_total(spec, maps, targets, soft):
    """Return the sum over the batch of the teacher's losses, with GIoU for the boxes."""
    if spec.score_rule == BY_CELL.score_rule:
        return plain_by_cell(maps, soft, "giou").sum() * len(soft)
    return plain_yolo3(maps, soft, spec, "giou").sum()


@pytest.mark.parametrize("spec", [SPEC, SQUARED, BY_CELL], ids=["yolo3", "squared", "by cell"])
def test_gradients_are_the_slopes_of_the_plain_loop(spec):
    """Of values at the rows and of others; nothing is ignored, because that is a step, which has no slope."""
    spec = dataclasses.replace(spec, ignore_iou=1)
    maps, targets, soft = soft_case(9, spec)
    maps = [raw.astype(np.float64) for raw in maps]
    _, both, _ = run(spec, maps, targets, soft, "giou")
    _, alone = losses_and_gradients(make_loss(spec, "giou"), maps, targets, True)
    rng, checked = np.random.default_rng(0), 0
    for raw, one, other in zip(maps, both, alone):
        gradient = 2 * one - other  # the teacher's, whose share is a half
        steep = np.argwhere(np.abs(gradient) > 0.3 * np.abs(gradient).max())
        places = [*steep[rng.permutation(len(steep))[:6]], *(rng.integers(raw.shape) for _ in range(10))]
        for place in map(tuple, places):
            kept, ends = raw[place], []
            for step in (1e-4, -1e-4):
                raw[place] = kept + step
                ends.append(plain_total(spec, maps, targets, soft))
            raw[place] = kept
            slope = (ends[0] - ends[1]) / 2e-4
            assert gradient[place] == pytest.approx(slope, rel=2e-3, abs=1e-4 * np.abs(gradient).max()), place
            checked += abs(slope) > 1e-3
    assert checked >= 12


def test_what_the_teacher_says_itself_has_no_gradient_of_objectness_and_class():
    """At a row whose objectness and classes are those of the teacher, for either sign of the logits."""
    maps, targets, soft = soft_case(10)
    predictions, _ = anchor_rows(maps)
    for b, rows in enumerate(soft):
        for row in (row for row in rows if row[WEIGHT] > 0):
            row[WEIGHT] = 1 / (1 + np.exp(-predictions[b, int(row[INDEX]), 4]))
            row[COLUMNS:] = 1 / (1 + np.exp(-predictions[b, int(row[INDEX]), 5:]))
    _, both, _ = run(SPEC, maps, targets, soft)
    _, alone = losses_and_gradients(make_loss(SPEC), maps, targets, True)
    slopes, _ = anchor_rows([2 * one - other for one, other in zip(both, alone)])
    for b, rows in enumerate(soft):
        for row in rows[rows[:, WEIGHT] > 0]:
            np.testing.assert_allclose(slopes[b, int(row[INDEX]), 4:], 0, atol=1e-5)


def test_images_in_which_the_teacher_finds_nothing():
    for spec in (SPEC, BY_CELL):
        maps, targets, soft = soft_case(11, spec)
        losses, gradients, names = run(spec, maps, targets, np.zeros_like(soft))
        taught = dict(zip(names, losses.tolist()))
        assert not np.any(
            [value for name, value in taught.items() if name.startswith("teacher_") and "obj" not in name]
        )
        assert min(taught["teacher_objectness"]) > 0
        assert all(np.isfinite(gradient).all() for gradient in gradients)


def taught_by(assigner, seed=12):
    """Return a spec with an assigner, raw maps, targets of no object, and soft targets of eight boxes."""
    spec = dataclasses.replace(SPEC, assigner=assigner, xy_scales=(2, 2))
    rng = np.random.default_rng(seed)
    maps, targets = test_yolo3.random_case(seed)
    height, width = test_yolo3.SIZE_HW
    centres, sides = rng.uniform(0, (width, height), (2, 8, 2)), rng.uniform(6, 45, (2, 8, 2))
    corners = [np.clip(centres + sign * sides / 2, 0, (width, height)) for sign in (-1, 1)]
    sure = [rng.uniform(0.1, 1, (2, 8, 1)), rng.uniform(0, 1, (2, 8, 3))]
    predictions = np.concatenate([*corners, *sure], axis=2).astype(np.float32)
    soft = soft_targets(predictions, spec, test_yolo3.SIZE_HW)
    return spec, maps, np.zeros((2, 18, COLUMNS), np.float32), soft


@pytest.mark.parametrize("assigner", ["best_shape", "neighbours", "overlap"])
def test_with_any_static_assigner(assigner):
    spec, maps, targets, soft = taught_by(assigner)
    losses, _, _ = run(spec, maps, targets, soft, "ciou")
    np.testing.assert_allclose(losses[3:], plain_yolo3(maps, soft, spec, "ciou") / 2, rtol=1e-4)


def test_with_a_dynamic_assigner_some_of_the_candidates_learn():
    """At least one for each box, and not all."""
    spec, maps, targets, soft = taught_by("dynamic")
    losses, gradients, _ = run(spec, maps, targets, soft, "ciou")
    static, _, _ = run(dataclasses.replace(spec, assigner="best_shape"), maps, targets, soft, "ciou")
    assert (losses[4:] > 0).all() and (losses[4:] < static[4:]).all()
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    boxes = anchor_rows(gradients, spec)[0][..., :4]
    learning = np.abs(boxes).sum(axis=2) > 0
    candidates = sum(len({int(row[INDEX]) for row in rows if row[WEIGHT] > 0}) for rows in soft)
    assert 4 <= learning.sum() < candidates
