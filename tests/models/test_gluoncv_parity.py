"""Parity: with GluonCV's weights and ground truth this package has GluonCV's numbers."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.assigners import assign
from gluon_yolo.data.loading.collate import pad_targets
from gluon_yolo.detections import Detections
from gluon_yolo.losses import YOLOv3Loss
from gluon_yolo.models.decode import Decode, Detect
from gluon_yolo.mxnet_compat import autograd, nd
from gluon_yolo.weights.gluoncv import translate
from gluon_yolo.weights.load import structural_parameters
from tests import own_process
from tests.models.gluoncv_peer import (
    batch_norms,
    in_our_order,
    make_pair,
    random_images,
    their_targets,
)

FORWARD_TOLERANCE = 1e-4  # absolute, for raw maps, boxes relative to the image's side, and scores
LOSS_TOLERANCE = 1e-3  # relative

# name, seed, (height, width), batch
FORWARD_CASES = [
    ("yolo3_mobilenet1.0_voc", 0, (320, 320), 1),
    ("yolo3_mobilenet1.0_coco", 1, (224, 352), 2),
    ("yolo3_mobilenet0.25_voc", 2, (416, 256), 1),
    pytest.param("yolo3_darknet53_voc", 3, (192, 256), 1, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "seed", "size_hw", "batch"), FORWARD_CASES)
def test_forward_equals_gluoncv(name, seed, size_hw, batch, tmp_path):
    own_process.once(compare_forward, name, seed, size_hw, batch, tmp_path)  # two DarkNet-53 take 3 GB


def compare_forward(name, seed, size_hw, batch, folder):
    """Demand GluonCV's raw maps, boxes, scores and detections."""
    theirs, ours = make_pair(name, folder, seed, gradients=False)
    pixels, tensors = random_images(batch, size_hw, seed)
    np.testing.assert_array_equal(ours.normalize(pixels).asnumpy(), tensors.asnumpy())
    maps = ours(pixels)

    with autograd.train_mode():  # GluonCV has raw predictions only in training mode; statistics stay frozen
        for norm in batch_norms(theirs):
            norm._kwargs["use_global_stats"] = True
        boxes, _, _, _, centres, scales, objectness, classes = theirs(tensors)
    expected = np.concatenate([a.asnumpy() for a in (centres, scales, objectness, classes)], axis=2)
    actual = np.concatenate(
        [
            raw.asnumpy()
            .reshape(batch, 3, expected.shape[2], -1)
            .transpose(0, 1, 3, 2)
            .reshape(batch, -1, expected.shape[2])
            for raw in maps
        ],
        axis=1,
    )
    np.testing.assert_allclose(actual, in_our_order(expected, size_hw), atol=FORWARD_TOLERANCE)

    decode = Decode(ours.spec)
    decode.initialize()
    our_boxes, our_scores = (a.asnumpy() for a in decode(*maps))
    side = max(size_hw)
    np.testing.assert_allclose(
        our_boxes / side, in_our_order(boxes.asnumpy(), size_hw) / side, atol=FORWARD_TOLERANCE
    )
    probability = 1 / (1 + np.exp(-expected[..., 4:]))
    np.testing.assert_allclose(
        our_scores, in_our_order(probability[..., 1:] * probability[..., :1], size_hw), atol=FORWARD_TOLERANCE
    )

    detect = Detect(ours.spec)
    detect.initialize()
    for got, wanted in zip(detect(*maps), theirs(tensors)):
        scale = side if got.shape[2] == 4 else 1
        np.testing.assert_allclose(got.asnumpy() / scale, wanted.asnumpy() / scale, atol=FORWARD_TOLERANCE)


# seed, (height, width), mixup weights, label smoothing
LOSS_CASES = [
    (0, (320, 320), False, False),
    (1, (256, 416), True, False),
    (2, (416, 224), False, True),
    (3, (288, 288), True, True),
]


@pytest.mark.parametrize(("seed", "size_hw", "mixup", "smooth"), LOSS_CASES)
def test_losses_and_gradients_equal_gluoncv(seed, size_hw, mixup, smooth, tmp_path):
    classes = [f"class {i}" for i in range(7)]
    theirs, ours = make_pair("yolo3_mobilenet0.25_custom", tmp_path, seed, classes)
    batch = 2
    pixels, tensors = random_images(batch, size_hw, seed)
    boxes, ids, mix = _random_truth(batch, size_hw, len(classes), seed)

    targets = their_targets(theirs, boxes, ids, size_hw, mix if mixup else None, smooth)
    with autograd.record():
        their_losses = theirs(tensors, *targets)
        autograd.backward([sum(their_losses)])

    loss = YOLOv3Loss(ours.spec, label_smooth=1 / 40 if smooth else 0.0)  # GluonCV's value for seven classes
    loss.initialize()
    sparse = []
    for b in range(batch):
        valid = ids[b, :, 0] >= 0
        weights = mix[b, valid, 0] if mixup else None
        sparse.append(assign(Detections(boxes[b, valid], ids[b, valid, 0]), weights, ours.spec, size_hw))
    with autograd.record():
        our_losses = loss(*ours(pixels), nd.array(pad_targets(sparse)))
        autograd.backward([sum(our_losses)])

    for got, wanted in zip(our_losses, their_losses):
        np.testing.assert_allclose(got.asnumpy(), wanted.asnumpy(), rtol=LOSS_TOLERANCE)
    assert max(gradient_differences(theirs, ours).values()) < LOSS_TOLERANCE


def gradient_differences(theirs, ours) -> dict:
    """Return, for each parameter, the largest gradient difference over the largest gradient."""
    their_parameters = theirs._collect_params_with_prefix()
    names = translate(their_parameters)
    our_parameters = structural_parameters(ours)
    differences = {}
    for their_name, our_name in names.items():
        if our_parameters[our_name].grad_req == "null":
            continue
        wanted = their_parameters[their_name].grad().asnumpy()
        got = our_parameters[our_name].grad().asnumpy()
        differences[our_name] = np.abs(got - wanted).max() / np.abs(wanted).max()
    assert len(differences) == sum(p.grad_req != "null" for p in our_parameters.values())
    return differences


def _random_truth(batch, size_hw, num_classes, seed, most=9):
    """Return boxes (B, M, 4), ids and mixup weights (B, M, 1), padded with -1; two match the same anchor."""
    rng = np.random.default_rng(seed)
    boxes, ids, mix = (np.full((batch, most, n), -1.0, dtype=np.float32) for n in (4, 1, 1))
    height, width = size_hw
    for b in range(batch):
        count = rng.integers(3, most + 1)
        size = np.exp(rng.uniform(np.log(8), np.log(min(size_hw) * 0.9), (count, 2)))
        corner = rng.uniform(0, 1, (count, 2)) * (np.array([width, height]) - size)
        boxes[b, :count] = np.concatenate([corner, corner + size], axis=1)
        boxes[b, 1] = boxes[b, 0] + [0, 0, 0.5, 0.5]
        ids[b, :count, 0] = rng.integers(0, num_classes, count)
        mix[b, :count, 0] = rng.uniform(0.1, 0.9, count)
    return boxes, ids, mix
