"""Yolo-FastestV2's loss against its formulas in NumPy, for a whole batch, in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gluon_yolo.assigners import BOX, CLASS, COLUMNS, INDEX, WEIGHT, assign
from gluon_yolo.data.loading.collate import pad_targets
from gluon_yolo.detections import Detections
from gluon_yolo.losses import YoloFastestV2Loss
from gluon_yolo.mxnet_compat import nd
from gluon_yolo.spec import DetectionSpec
from tests.losses.gradients import losses_and_gradients
from tests.losses.test_iou import plain, weight

SPEC = DetectionSpec(
    ("cat", "dog", "bird"),
    (((10, 13), (16, 30), (33, 23)), ((40, 40), (60, 30), (30, 70))),
    (8, 16),
    box_coding="squared_sigmoid",
    score_rule="objectness_times_softmax",
    assigner="size_ratio",
    xy_scales=(2, 2),
)
SIZE_HW = (48, 80)
ANCHORS = 3


def random_case(seed: int, mixup: bool = False, spread: float = 1.0, counts=(4, 2, 0)):
    """Return raw maps of images and their targets."""
    rng = np.random.default_rng(seed)
    height, width = SIZE_HW
    shapes = [(len(counts), 5 * ANCHORS + SPEC.num_classes, height // s, width // s) for s in SPEC.strides]
    maps = [rng.normal(0, spread, shape).astype(np.float32) for shape in shapes]
    targets = []
    for count in counts:
        centres, sides = rng.uniform(0, (width, height), (count, 2)), rng.uniform(8, 70, (count, 2))
        boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)
        weights = rng.uniform(0.1, 0.9, count) if mixup else None
        truth = Detections(boxes.reshape(-1, 4), rng.integers(0, 3, count))
        targets.append(assign(truth, weights, SPEC, SIZE_HW))
    return maps, pad_targets(targets)


def original(maps, targets, smooth=0.0, alphas=None):
    """Return objectness, box and class loss of a whole batch, one number each, as the original computes them.

    ``alphas`` has CIoU's weights, which have no gradient; a missing one is computed and added.
    """
    alphas = {} if alphas is None else alphas
    losses = np.zeros(3)
    first = 0
    for level, (raw, balance) in enumerate(zip(maps, (1.0, 0.4))):
        height, width = raw.shape[2:]
        raw = raw.astype(np.float64)
        objectness = raw[:, 4 * ANCHORS : 5 * ANCHORS]
        entropy = np.logaddexp(0, objectness)  # target 0 for all
        boxes, classes, weights = [], [], []
        for b, rows in enumerate(targets):
            for m, row in enumerate(rows):
                local = int(row[INDEX]) - first
                if row[WEIGHT] == 0 or not 0 <= local < ANCHORS * height * width:
                    continue
                anchor, y, x = np.unravel_index(local, (ANCHORS, height, width))
                entropy[b, anchor, y, x] = row[WEIGHT] * np.logaddexp(0, -objectness[b, anchor, y, x])
                box = decode(raw[b, 4 * anchor : 4 * anchor + 4, y, x], x, y, level, anchor)
                truth = row[BOX].astype(float)
                alpha = alphas.setdefault((level, b, m), weight(box, truth))
                boxes.append(1 - plain("ciou", box, truth, alpha))
                logits = raw[b, 5 * ANCHORS :, y, x]
                asked = np.full(3, smooth / 2)
                asked[int(row[CLASS])] = 1 - smooth
                classes.append(-(asked * (logits - np.log(np.exp(logits).sum()))).sum())
                weights.append(row[WEIGHT])
        losses[0] += 64 * balance * entropy.mean()
        if weights:
            losses[1] += 3.2 * np.average(boxes, weights=weights)
            losses[2] += 32 / 3 * np.average(classes, weights=weights)
        first += ANCHORS * height * width
    return losses


def decode(deltas, x, y, level, anchor):
    """Return corners in pixels."""
    s = 1 / (1 + np.exp(-deltas))
    centre = (2 * s[:2] - 0.5 + [x, y]) * SPEC.strides[level]
    size = (2 * s[2:]) ** 2 * SPEC.anchors[level][anchor]
    return np.concatenate([centre - size / 2, centre + size / 2])


def run(maps, targets, smooth=0.0, hybridize=False):
    """Return the losses (3, B) and the gradients of the raw maps."""
    return losses_and_gradients(YoloFastestV2Loss(SPEC, smooth), maps, targets, hybridize)


@pytest.mark.parametrize(
    ("seed", "mixup", "smooth", "hybridize"),
    [(0, False, 0.0, False), (1, False, 0.0, True), (2, True, 0.0, True), (3, True, 0.1, False)],
)
def test_mean_over_the_batch_is_the_originals_number(seed, mixup, smooth, hybridize):
    maps, targets = random_case(seed, mixup)
    losses, _ = run(maps, targets, smooth, hybridize)
    assert losses.shape == (3, 3)
    np.testing.assert_allclose(losses.mean(axis=1), original(maps, targets, smooth), rtol=1e-5)


@pytest.mark.parametrize("mixup", [False, True])
def test_gradient_is_the_originals_slope(mixup):
    """For every value of the positives, and some others."""
    maps, targets = random_case(4, mixup, counts=(2, 1))
    _, gradients = run(maps, targets, hybridize=True)
    rng = np.random.default_rng(0)
    levels = [0] * 20 + [1] * 20
    chosen = [(level, tuple(rng.integers(n) for n in maps[level].shape)) for level in levels]
    for level, gradient in enumerate(gradients):
        moved = np.argwhere(np.abs(gradient[:, : 4 * ANCHORS]) > 1e-4)
        assert len(moved) >= 8
        chosen += [(level, tuple(at)) for at in moved]
        _, channels, *_ = gradient.shape
        moved = np.argwhere(np.abs(gradient[:, 5 * ANCHORS :]) > 1e-4)[:20]
        chosen += [(level, (b, 5 * ANCHORS + c, y, x)) for b, c, y, x in moved]
    alphas: dict = {}
    original(maps, targets, alphas=alphas)
    step = 1e-6
    for level, at in chosen:
        totals = []
        for sign in (1, -1):
            nudged = [raw.astype(np.float64) for raw in maps]
            nudged[level][at] += sign * step
            totals.append(original(nudged, targets, alphas=alphas).sum())
        slope = (totals[0] - totals[1]) / (2 * step)
        # the trainer divides by the number of images
        assert gradients[level][at] / 2 == pytest.approx(slope, rel=1e-3, abs=2e-5)


def test_by_hand():
    """One object in one image of two, all logits zero."""
    rows = assign(Detections([[4, 4, 84, 46]], [1]), None, SPEC, SIZE_HW)
    assert len(rows) == 3  # anchor 60x30 in its cell and two neighbours
    maps = [np.zeros((2, 18, 6, 10)), np.zeros((2, 18, 3, 5))]
    losses, _ = run(maps, pad_targets([rows, np.zeros((0, COLUMNS))]))
    # a logit of 0 costs log 2 for any target; three equal classes cost log 3
    np.testing.assert_allclose(losses[0], [64 * 1.4 * math.log(2)] * 2, rtol=1e-5)
    np.testing.assert_allclose(losses[2], [2 * 32 / 3 * math.log(3), 0], rtol=1e-5)
    # the predicted boxes have the anchor's size, in the middle of cells (2, 1), (3, 1) and (2, 2)
    boxes = [np.array([x - 30, y - 15, x + 30, y + 15]) for x, y in ((40, 24), (56, 24), (40, 40))]
    distance = np.mean([1 - plain("ciou", box, np.array([4, 4, 84, 46])) for box in boxes])
    np.testing.assert_allclose(losses[1], [2 * 3.2 * distance, 0], rtol=1e-5)


def test_no_objects_at_all():
    maps, _ = random_case(5)
    losses, gradients = run(maps, pad_targets([np.zeros((0, COLUMNS))] * 3))
    assert (losses[0] > 0).all() and not losses[1:].any()
    for gradient in gradients:
        assert np.isfinite(gradient).all() and (gradient[:, 12:15] > 0).all()
        assert not gradient[:, :12].any() and not gradient[:, 15:].any()


def test_padding_and_overruled_rows_change_nothing():
    maps, targets = random_case(6, mixup=True)
    overruled = targets[:, :8].copy()
    overruled[:, :, WEIGHT] = 0
    longer = np.concatenate([overruled, targets, np.zeros((3, 8, COLUMNS))], axis=1)
    (losses, gradients), (same, same_gradients) = run(maps, targets), run(maps, longer)
    np.testing.assert_allclose(losses, same, rtol=1e-6)
    for one, other in zip(gradients, same_gradients):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_nothing_is_left_alone():
    """The objectness of a prediction that covers a truth, but is not matched, has the full loss."""
    maps, targets = random_case(7)
    _, gradients = run(maps, targets)
    slopes = np.concatenate([g[:, 12:15].reshape(3, -1) for g in gradients], axis=1)
    logits = np.concatenate([m[:, 12:15].reshape(3, -1) for m in maps], axis=1)
    sizes = [m[0, 12:15].size for m in maps]
    gain = np.concatenate([np.full(n, 64 * balance / n) for n, balance in zip(sizes, (1.0, 0.4))])
    positive = np.zeros(slopes.shape)
    for b, rows in enumerate(targets):
        positive[b, rows[rows[:, WEIGHT] > 0, INDEX].astype(int)] = 1
    np.testing.assert_allclose(slopes, gain * (1 / (1 + np.exp(-logits)) - positive), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("spread", [10, 200, 1e4])
def test_far_off_predictions_stay_finite(spread):
    maps, targets = random_case(8, spread=spread)
    losses, gradients = run(maps, targets)
    assert np.isfinite(losses).all() and all(np.isfinite(gradient).all() for gradient in gradients)


def test_sizes_batches_and_counts_may_change():
    loss = YoloFastestV2Loss(SPEC)
    loss.initialize()
    loss.hybridize()
    for size_hw, batch, most in (((32, 32), 1, 8), ((48, 80), 3, 16), ((32, 32), 2, 8)):
        maps = [nd.zeros((batch, 18, size_hw[0] // s, size_hw[1] // s)) for s in SPEC.strides]
        objectness, *others = loss(*maps, nd.zeros((batch, most, COLUMNS)))
        np.testing.assert_allclose(objectness.asnumpy(), [64 * 1.4 * math.log(2)] * batch, rtol=1e-5)
        assert all(part.shape == (batch,) and not part.asnumpy().any() for part in others)
