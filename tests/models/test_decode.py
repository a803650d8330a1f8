"""Decode against a NumPy implementation, and Detect against Decode and ``select``, at every input size."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.models.box_coder import box_coder_of
from gluon_yolo.models.decode import AnchorGrid, Decode, Detect
from gluon_yolo.models.head_layout import head_layout_of
from gluon_yolo.mxnet_compat import mx, nd
from gluon_yolo.nms import select
from gluon_yolo.spec import DetectionSpec

YOLO3 = DetectionSpec(("cat", "dog", "bird"))
UNEVEN_ANCHORS = (((10, 13), (16, 30)), ((40, 40),))
UNEVEN = DetectionSpec(("cat",), UNEVEN_ANCHORS, (8, 16))  # two levels, one class
BY_CELL = DetectionSpec(  # Yolo-FastestV2's layout and coding
    ("cat", "dog", "bird"),
    UNEVEN_ANCHORS,
    (8, 16),
    box_coding="squared_sigmoid",
    score_rule="objectness_times_softmax",
    xy_scales=(2, 2),
)
SPECS = pytest.mark.parametrize("spec", [YOLO3, UNEVEN, BY_CELL], ids=["yolo3", "uneven", "by cell"])


def random_maps(spec: DetectionSpec, size_hw, batch: int = 2, seed: int = 0):
    """Draw raw maps with different scores over all of 0..1."""
    rng = np.random.default_rng(seed)
    shapes = [
        (
            batch,
            head_layout_of(spec).channels(len(anchors), spec.num_classes),
            size_hw[0] // stride,
            size_hw[1] // stride,
        )
        for anchors, stride in zip(spec.anchors, spec.strides)
    ]
    return [nd.array(rng.normal(0, 1, shape)) for shape in shapes]


def ready(block, hybridize: bool = False):
    block.initialize()
    if hybridize:
        block.hybridize()
    return block


def decoded(spec: DetectionSpec, maps):
    return [array.asnumpy() for array in ready(Decode(spec))(*maps)]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def splits_by_role(raw: np.ndarray, a: int, spec: DetectionSpec, anchors: int):
    """Return deltas (B, 4), objectness logit (B, 1) and class probabilities (B, C) of a cell (B, K)."""
    if spec.score_rule == "objectness_times_class":
        own = raw[:, a * (5 + spec.num_classes) :][:, : 5 + spec.num_classes]
        return own[:, :4], own[:, 4:5], sigmoid(own[:, 5:])
    deltas, objectness = raw[:, 4 * a : 4 * a + 4], raw[:, 4 * anchors + a : 4 * anchors + a + 1]
    return deltas, objectness, softmax(raw[:, 5 * anchors :])


@SPECS
def test_decode_equals_a_plain_loop(spec):
    size_hw = (64, 96)
    maps = random_maps(spec, size_hw)
    boxes, scores = decoded(spec, maps)
    n = 0
    for raw, anchors, stride, reach in zip(maps, spec.anchors, spec.strides, spec.xy_scales):
        cells = raw.asnumpy()
        for a, row, column in np.ndindex(len(anchors), *cells.shape[2:]):
            deltas, objectness, classes = splits_by_role(cells[:, :, row, column], a, spec, len(anchors))
            cell, anchor = np.array([[column, row]]), np.array([anchors[a]])
            expected = box_coder_of(spec).decode_array(deltas, cell, anchor, np.array([stride]), reach)
            np.testing.assert_allclose(boxes[:, n], expected, rtol=1e-4, atol=1e-3)
            np.testing.assert_allclose(scores[:, n], sigmoid(objectness) * classes, 1e-4)
            n += 1
    assert boxes.shape == (2, n, 4) and scores.shape == (2, n, spec.num_classes)


@SPECS
@pytest.mark.parametrize("hybridize", [False, True])
def test_places_of_all_anchors(spec, hybridize):
    places = ready(AnchorGrid(spec), hybridize)
    for size_hw in ((64, 96), (32, 32)):
        found = places(*random_maps(spec, size_hw)).asnumpy()
        expected = [
            [column, row, stride, reach, w / 2, h / 2]
            for anchors, stride, reach in zip(spec.anchors, spec.strides, spec.xy_scales)
            for w, h in anchors
            for row in range(size_hw[0] // stride)
            for column in range(size_hw[1] // stride)
        ]
        np.testing.assert_allclose(found, expected)


def test_places_are_there_whatever_is_predicted():
    maps = [nd.full(raw.shape, np.nan) for raw in random_maps(UNEVEN, (32, 32))]
    assert np.isfinite(ready(AnchorGrid(UNEVEN))(*maps).asnumpy()).all()


# limits of Detect
LIMITS = [
    {},
    {"nms_threshold": 0.2, "score_threshold": 0.3},
    {"max_candidates": 50, "max_detections": 20},
    {"max_candidates": 30, "max_detections": 100},  # the output cannot have more rows than the input
    {"nms_threshold": 0, "max_candidates": 40},  # no NMS
    {"nms_threshold": 1, "max_candidates": 40},
    {"max_detections": 250},  # more rows than candidates
]


@pytest.mark.parametrize("limits", LIMITS, ids=str)
@pytest.mark.parametrize(("spec", "hybridize"), [(YOLO3, False), (YOLO3, True), (BY_CELL, True)])
def test_detect_equals_decode_and_select(limits, spec, hybridize):
    maps = random_maps(spec, (96, 64))
    outputs = [array.asnumpy() for array in ready(Detect(spec, **limits), hybridize)(*maps)]
    check(outputs, decoded(spec, maps), limits)


def check(outputs, boxes_and_scores, limits):
    """Compare ids, scores and boxes of a batch with those of ``select``; unused rows are -1."""
    rows = min(limits.get("max_detections", 100), limits.get("max_candidates", 2000))
    ids, scores, corners = outputs
    assert [output.shape[1:] for output in outputs] == [(rows, 1), (rows, 1), (rows, 4)]
    for b, (boxes, class_scores) in enumerate(zip(*boxes_and_scores)):
        expected = select(boxes, class_scores, **limits)
        count = len(expected)
        np.testing.assert_array_equal(ids[b, :count, 0], expected.class_ids)
        np.testing.assert_allclose(scores[b, :count, 0], expected.scores, rtol=1e-5)
        np.testing.assert_allclose(corners[b, :count], expected.boxes, rtol=1e-5, atol=1e-4)
        assert all((output[b, count:] == -1).all() for output in outputs)


@SPECS
def test_detect_of_fewer_anchors_than_candidates(spec):
    """An image of 32x32 has 63 anchors; topk of 400 would fail."""
    maps = random_maps(spec, (32, 32))
    for limits in ({}, {"nms_threshold": 1, "score_threshold": 0}):
        outputs = [array.asnumpy() for array in ready(Detect(spec, **limits))(*maps)]
        check(outputs, decoded(spec, maps), limits)


def test_one_hybridized_block_takes_every_size():
    detect, decode = ready(Detect(YOLO3), True), ready(Decode(YOLO3), True)
    for seed, (size_hw, batch) in enumerate([((32, 32), 1), ((96, 160), 3), ((160, 64), 2), ((32, 32), 1)]):
        maps = random_maps(YOLO3, size_hw, batch, seed)
        check([a.asnumpy() for a in detect(*maps)], [a.asnumpy() for a in decode(*maps)], {})


def test_nothing_found():
    maps = [nd.full(raw.shape, -20) for raw in random_maps(YOLO3, (64, 64))]
    assert all((output.asnumpy() == -1).all() for output in ready(Detect(YOLO3))(*maps))


@SPECS
def test_the_graph_has_no_size_in_it(spec):
    """One symbol, bound to two sizes."""
    names = [f"raw{level}" for level in range(spec.num_levels)]
    for tail in (ready(Decode(spec)), ready(Detect(spec))):
        symbol = mx.sym.Group(list(tail(*map(mx.sym.var, names))))
        for size_hw in ((64, 96), (32, 32)):
            maps = random_maps(spec, size_hw, batch=1)
            shapes = symbol.infer_shape(**{name: raw.shape for name, raw in zip(names, maps)})[1]
            assert [tuple(shape) for shape in shapes] == [array.shape for array in tail(*maps)]


@pytest.mark.parametrize("tail", [Decode, Detect])
@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("score_rule", "score_rule: expected one of objectness_times_class, objectness.*, got 'other'"),
        ("box_coding", "box_coding: expected one of yolo3, squared_sigmoid, got 'other'"),
    ],
)
def test_a_rule_that_is_not_there(tail, field, message):
    with pytest.raises(ValueError, match=message):
        tail(DetectionSpec(("cat",), **{field: "other"}))
