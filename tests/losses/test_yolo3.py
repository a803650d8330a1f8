"""YOLOv3's losses against a NumPy loop over every anchor; ignored anchors have no effect."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gluon_yolo.assigners import (
    BOX,
    BOX_WEIGHT,
    CLASS,
    COLUMNS,
    DELTAS,
    INDEX,
    WEIGHT,
    assign,
    rows_per_object,
)
from gluon_yolo.boxes import iou_matrix
from gluon_yolo.data.loading.collate import pad_targets
from gluon_yolo.detections import Detections
from gluon_yolo.losses.yolo3 import IOU_GAIN, YOLOv3Loss
from gluon_yolo.models.box_coder import box_coder_of
from gluon_yolo.mxnet_compat import nd
from gluon_yolo.spec import DetectionSpec
from tests.losses.gradients import losses_and_gradients
from tests.losses.test_iou import plain

SPEC = DetectionSpec(("cat", "dog", "bird"), (((10, 13), (16, 30)), ((40, 40),)), (8, 16), ignore_iou=0.3)
SQUARED = dataclasses.replace(SPEC, box_coding="squared_sigmoid", xy_scales=(2, 2))
SIZE_HW = (48, 80)


def sigmoid_cross_entropy(logit, target):
    return np.logaddexp(0, logit) - logit * target


def anchor_rows(maps, spec=SPEC, size_hw=SIZE_HW):
    """Return every anchor's raw prediction (B, N, 5 + C) and decoded box (B, N, 4), in targets' order."""
    predictions, corners = [], []
    for raw, anchors, stride, reach in zip(maps, spec.anchors, spec.strides, spec.xy_scales):
        height, width = size_hw[0] // stride, size_hw[1] // stride
        split = raw.reshape(len(raw), len(anchors), -1, height, width)
        for a, anchor in enumerate(anchors):
            for row in range(height):
                for column in range(width):
                    prediction = split[:, a, :, row, column].astype(float)
                    cell, wh = np.array([[column, row]]), np.array([anchor])
                    corners.append(
                        box_coder_of(spec).decode_array(
                            prediction[:, :4], cell, wh, np.array([stride]), reach
                        )
                    )
                    predictions.append(prediction)
    return np.stack(predictions, axis=1), np.stack(corners, axis=1)


def plain_losses(maps, targets, smooth=0.0, spec=SPEC, box_loss="yolo3"):
    """Return each loss of each image, and which anchors are ignored (B, N).

    The losses are objectness, centre, scale and class (4, B), or objectness, box and class (3, B).
    """
    predictions, corners = anchor_rows(maps, spec)
    losses = np.zeros((4 if box_loss == "yolo3" else 3, len(targets)))
    ignored = np.zeros(predictions.shape[:2], dtype=bool)
    for b, rows in enumerate(targets):
        positives = {int(row[INDEX]): row for row in rows if row[WEIGHT] > 0}
        best = iou_matrix(corners[b], rows[:, BOX]).max(axis=1)
        for n, prediction in enumerate(predictions[b]):
            if n not in positives:
                ignored[b, n] = best[n] > spec.ignore_iou
                losses[0, b] += 0 if ignored[b, n] else sigmoid_cross_entropy(prediction[4], 0)
                continue
            row = positives[n]
            one_hot = np.full(spec.num_classes, smooth)
            one_hot[int(row[CLASS])] = 1 - smooth
            box_weight = row[WEIGHT] * row[BOX_WEIGHT]
            losses[0, b] += row[WEIGHT] * sigmoid_cross_entropy(prediction[4], 1)
            if box_loss == "yolo3":
                losses[1, b] += box_weight * sigmoid_cross_entropy(prediction[:2], row[DELTAS][:2]).sum()
                losses[2, b] += box_weight * np.abs(prediction[2:4] - row[DELTAS][2:]).sum()
            else:
                overlap = plain(box_loss, corners[b, n], row[BOX].astype(float))
                losses[1, b] += IOU_GAIN * box_weight * (1 - overlap)
            losses[-1, b] += row[WEIGHT] * sigmoid_cross_entropy(prediction[5:], one_hot).sum()
    return losses, ignored


def random_case(seed: int, mixup: bool = False, spread: float = 1.0, spec=SPEC):
    """Return raw maps of two images and their targets, where two objects match the same anchor."""
    rng = np.random.default_rng(seed)
    height, width = SIZE_HW
    channels = 5 + SPEC.num_classes
    shapes = [(2, len(a) * channels, height // s, width // s) for a, s in zip(SPEC.anchors, SPEC.strides)]
    maps = [rng.normal(0, spread, shape).astype(np.float32) for shape in shapes]
    targets = []
    for count in (5, 2):
        centres, sides = rng.uniform(0, (width, height), (count, 2)), rng.uniform(6, 45, (count, 2))
        boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)
        boxes[1] = boxes[0]
        weights = rng.uniform(0.1, 0.9, count) if mixup else None
        targets.append(assign(Detections(boxes, rng.integers(0, 3, count)), weights, spec, SIZE_HW))
    return maps, pad_targets(targets, 8 * rows_per_object(spec))


def run(maps, targets, smooth=0.0, hybridize=False, spec=SPEC, box_loss="auto"):
    """Return the losses (4, B) or (3, B) and the gradients of the raw maps."""
    return losses_and_gradients(YOLOv3Loss(spec, smooth, box_loss), maps, targets, hybridize)


@pytest.mark.parametrize(
    ("seed", "mixup", "smooth", "hybridize"),
    [(0, False, 0.0, False), (1, True, 0.0, True), (2, False, 1 / 40, True), (3, True, 0.1, False)],
)
def test_equals_the_plain_loop(seed, mixup, smooth, hybridize):
    maps, targets = random_case(seed, mixup)
    losses, _ = run(maps, targets, smooth, hybridize)
    expected, ignored = plain_losses(maps, targets, smooth)
    assert ignored.any(), "the case shows nothing of the ignore mask"
    np.testing.assert_allclose(losses, expected, rtol=1e-4)


@pytest.mark.parametrize("spec", [SPEC, SQUARED], ids=["yolo3", "squared_sigmoid"])
@pytest.mark.parametrize(
    ("box_loss", "mixup", "hybridize"), [("giou", False, True), ("diou", True, False), ("ciou", True, True)]
)
def test_overlaps_in_the_place_of_centre_and_scale(spec, box_loss, mixup, hybridize):
    maps, targets = random_case(11, mixup)
    losses, gradients = run(maps, targets, 0.0, hybridize, spec, box_loss)
    expected, _ = plain_losses(maps, targets, spec=spec, box_loss=box_loss)
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    positive = np.zeros(anchor_rows(maps, spec)[0].shape[:2], dtype=bool)
    for b, rows in enumerate(targets):
        positive[b, rows[rows[:, WEIGHT] > 0, INDEX].astype(int)] = True
    slopes = anchor_rows(gradients, spec)[0][..., :4]
    assert (np.abs(slopes[positive]).sum(axis=1) > 0).all() and not slopes[~positive].any()


@pytest.mark.parametrize("spec", [SPEC, SQUARED], ids=["yolo3", "squared_sigmoid"])
@pytest.mark.parametrize("box_loss", ["giou", "diou"])  # ciou: its alpha has no gradient
def test_an_overlaps_gradient_is_the_plain_losses_slope(spec, box_loss):
    maps, targets = random_case(12, mixup=True)
    _, gradients = run(maps, targets, spec=spec, box_loss=box_loss)
    step = 1e-5
    at = [(b, int(row[INDEX])) for b, rows in enumerate(targets) for row in rows if row[WEIGHT] > 0]
    slopes = anchor_rows(gradients, spec)[0]
    numbers = np.arange(sum(raw.size for raw in maps), dtype=float)  # to find a row's values in the maps
    ends = np.cumsum([raw.size for raw in maps])[:-1]
    with np.errstate(over="ignore"):  # they are no predictions
        places = anchor_rows([p.reshape(m.shape) for p, m in zip(np.split(numbers, ends), maps)], spec)[0]
    for b, n in at:
        for channel in range(4):
            place = int(places[b, n, channel])
            totals = []
            for sign in (1, -1):
                flat = np.concatenate([raw.ravel().astype(float) for raw in maps])
                flat[place] += sign * step
                nudged = [part.reshape(raw.shape) for part, raw in zip(np.split(flat, ends), maps)]
                totals.append(plain_losses(nudged, targets, spec=spec, box_loss=box_loss)[0][1].sum())
            slope = (totals[0] - totals[1]) / (2 * step)
            assert slopes[b, n, channel] == pytest.approx(slope, abs=2e-4)


def test_gradient_is_the_plain_losses_slope():
    """Change some values of the maps, also of positives; the ignore mask has no gradient."""
    maps, targets = random_case(4)
    _, gradients = run(maps, targets)
    rng = np.random.default_rng(0)
    step = 1e-5
    for _ in range(12):
        level = rng.integers(len(maps))
        at = tuple(rng.integers(n) for n in maps[level].shape)
        totals = []
        for sign in (1, -1):
            nudged = [raw.astype(np.float64) for raw in maps]
            nudged[level][at] += sign * step
            totals.append(plain_losses(nudged, targets)[0].sum())
        assert gradients[level][at] == pytest.approx((totals[0] - totals[1]) / (2 * step), abs=2e-4)


@pytest.mark.parametrize("assigner", ["neighbours", "overlap"])
@pytest.mark.parametrize("hybridize", [False, True])
def test_several_rows_of_an_object(assigner, hybridize):
    """Every object counts once for the ignore mask, and each of its rows is a positive."""
    spec = dataclasses.replace(SPEC, assigner=assigner, xy_scales=(2, 2))
    maps, targets = random_case(8, spec=spec)
    assert (targets[0, :, WEIGHT] > 0).sum() > 5  # more than the objects
    losses, _ = run(maps, targets, hybridize=hybridize, spec=spec)
    expected, ignored = plain_losses(maps, targets, spec=spec)
    assert ignored.any()
    np.testing.assert_allclose(losses, expected, rtol=1e-4)


def test_left_alone_means_no_gradient_on_objectness():
    maps, targets = random_case(5)
    _, gradients = run(maps, targets)
    _, ignored = plain_losses(maps, targets)
    slopes = anchor_rows(gradients)[0][..., 4]
    assert ignored.any() and not slopes[ignored].any()
    predictions, _ = anchor_rows(maps)
    positive = np.zeros_like(ignored)
    for b, rows in enumerate(targets):
        positive[b, rows[rows[:, WEIGHT] > 0, INDEX].astype(int)] = True
    negative = ~ignored & ~positive
    np.testing.assert_allclose(
        slopes[negative], 1 / (1 + np.exp(-predictions[..., 4][negative])), rtol=1e-4, atol=1e-6
    )
    assert (slopes[positive] < 0).all()
    others = anchor_rows(gradients)[0][~positive]
    assert not others[:, :4].any() and not others[:, 5:].any()


def test_padding_rows_change_nothing():
    maps, targets = random_case(6, mixup=True)
    longer = np.concatenate([targets, np.zeros((2, 8, COLUMNS), np.float32)], axis=1)
    (losses, gradients), (same, same_gradients) = run(maps, targets), run(maps, longer)
    np.testing.assert_allclose(losses, same, rtol=1e-6)
    for one, other in zip(gradients, same_gradients):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_images_do_not_touch_one_another():
    maps, targets = random_case(7)
    together, _ = run(maps, targets)
    for b in range(2):
        alone, _ = run([raw[b : b + 1] for raw in maps], targets[b : b + 1])
        np.testing.assert_allclose(alone[:, 0], together[:, b], rtol=1e-5)


def test_no_objects_at_all():
    """Everything is background: only the objectness loss is not zero."""
    maps, _ = random_case(8)
    losses, gradients = run(maps, pad_targets([np.zeros((0, COLUMNS), np.float32)] * 2))
    logits = anchor_rows(maps)[0][..., 4]
    np.testing.assert_allclose(losses[0], np.logaddexp(0, logits).sum(axis=1), rtol=1e-5)
    assert not losses[1:].any()
    slopes = anchor_rows(gradients)[0]
    assert not np.delete(slopes, 4, axis=2).any() and (slopes[..., 4] > 0).all()


def test_a_weight_of_zero_is_no_object_but_keeps_from_punishment():
    maps, targets = random_case(9)
    targets[:, :, WEIGHT] = 0
    losses, _ = run(maps, targets)
    expected, ignored = plain_losses(maps, targets)
    assert ignored.any() and not losses[1:].any()
    np.testing.assert_allclose(losses, expected, rtol=1e-4)


@pytest.mark.parametrize(("hybridize", "box_loss"), [(False, "yolo3"), (True, "yolo3"), (True, "ciou")])
def test_sizes_batches_and_counts_may_change(hybridize, box_loss):
    loss = YOLOv3Loss(SPEC, box_loss=box_loss)
    loss.initialize()
    if hybridize:
        loss.hybridize()
    for size_hw, batch, most in (((32, 32), 1, 8), ((48, 80), 3, 16), ((32, 32), 2, 8)):
        maps = [
            nd.zeros((batch, len(a) * 8, size_hw[0] // s, size_hw[1] // s))
            for a, s in zip(SPEC.anchors, SPEC.strides)
        ]
        objectness, *others = loss(*maps, nd.zeros((batch, most, COLUMNS)))
        anchors = 2 * (size_hw[0] // 8) * (size_hw[1] // 8) + (size_hw[0] // 16) * (size_hw[1] // 16)
        np.testing.assert_allclose(objectness.asnumpy(), np.full(batch, anchors * np.log(2)), rtol=1e-5)
        assert all(part.shape == (batch,) and not part.asnumpy().any() for part in others)


@pytest.mark.parametrize("box_loss", ["yolo3", "giou", "diou", "ciou"])
@pytest.mark.parametrize("spread", [10, 200, 1e4])
def test_far_off_predictions_stay_finite(box_loss, spread):
    """Exponentials of sizes overflow to infinite boxes, also at positives; the losses stay finite."""
    maps, targets = random_case(10, spread=spread)
    losses, gradients = run(maps, targets, box_loss=box_loss)
    assert np.isfinite(losses).all() and all(np.isfinite(gradient).all() for gradient in gradients)
