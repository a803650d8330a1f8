"""Decoding in NumPy against the network's own decoding."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.inference.decode import RawMaps, decode
from gluon_yolo.models.decode import Decode
from gluon_yolo.models.head_layout import head_layout_of
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.spec import DetectionSpec

ANCHORS = (((10, 13), (16, 30)), ((62, 45), (59, 119)))
SPECS = {
    "yolo3": {},
    "reach": {"xy_scales": (1.2, 1.05)},
    "squared": {"box_coding": "squared_sigmoid", "xy_scales": (2, 2)},
    "softmax": {
        **{"box_coding": "squared_sigmoid", "xy_scales": (2, 2)},
        "score_rule": "objectness_times_softmax",
    },
}


def spec_of(name):
    return DetectionSpec(("a", "b", "c"), ANCHORS, (8, 16), **SPECS[name])


def random_maps(spec, batch=2, height=3, width=5):
    rng = np.random.default_rng(0)
    channels = head_layout_of(spec).channels(2, spec.num_classes)
    shapes = [(batch, channels, height * side, width * side) for side in (2, 1)]
    return [rng.normal(0, 1.5, shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("name", SPECS)
def test_as_the_network_decodes(name):
    spec = spec_of(name)
    maps = random_maps(spec)
    tail = Decode(spec)
    tail.initialize()
    expected = [array.asnumpy() for array in tail(*(mx.nd.array(raw) for raw in maps))]
    given = decode(maps, spec)
    for ours, theirs, tolerance in zip(given, expected, (1e-3, 1e-6)):
        assert ours.shape == theirs.shape and ours.dtype == np.float32
        assert np.abs(ours - theirs).max() <= tolerance


def test_by_hand():
    """All zeros: the centre of each cell, the anchor's size, a quarter for every class."""
    spec = DetectionSpec(("a",), (((6, 4),),), (8,))
    boxes, scores = decode([np.zeros((1, 6, 1, 2), np.float32)], spec)
    assert boxes.tolist() == [[[1, 2, 7, 6], [9, 2, 15, 6]]] and scores.tolist() == [[[0.25], [0.25]]]


@pytest.mark.parametrize("threshold", [0, 0.01, 0.3, 0.9, 1])
@pytest.mark.parametrize("name", SPECS)
def test_what_is_above_a_threshold(name, threshold):
    """Anchors above the threshold are included, in order and with identical values; few others are."""
    spec = spec_of(name)
    maps = random_maps(spec)
    boxes, scores = decode(maps, spec)
    lazy = RawMaps(maps, spec)
    for index in range(len(boxes)):
        given_boxes, given_scores = lazy.above(threshold, index)
        assert given_boxes.dtype == given_scores.dtype == np.float32
        counts, given_count = scores[index].max(axis=1) > threshold, given_scores.max(axis=1) > threshold
        assert (given_boxes[given_count] == boxes[index][counts]).all()
        assert (given_scores[given_count] == scores[index][counts]).all()
        assert 0 < counts.sum() == given_count.sum() or threshold >= 0.9
    assert len(lazy.above(0.9, 0)[0]) < len(lazy.above(0.3, 0)[0]) < len(lazy.above(0, 0)[0]) == len(boxes[0])


def test_an_anchor_on_the_threshold_is_there():
    """Objectness 0.5 and a certain class: the caller compares with the threshold of 0.5."""
    spec = DetectionSpec(("a",), (((6, 4),),), (8,))
    raw = np.array([0, 0, 0, 0, 0, 40], np.float32).reshape(1, 6, 1, 1)
    boxes, scores = RawMaps([raw], spec).above(0.5, 0)
    assert boxes.tolist() == [[1, 2, 7, 6]] and scores.tolist() == [[0.5]]
    assert [len(part) for part in RawMaps([raw], spec).above(0.6, 0)] == [0, 0]


@pytest.mark.parametrize("name", SPECS)
def test_what_is_no_number_is_not_passed_over(name):
    spec = spec_of(name)
    maps = random_maps(spec)
    for raw in maps:
        raw[:] = np.nan
    assert np.isnan(RawMaps(maps, spec).above(0.9, 1)[1]).all()
    assert len(RawMaps(maps, spec).above(0.9, 1)[1]) == len(decode(maps, spec)[1][1])


def test_as_a_pair():
    spec = spec_of("yolo3")
    maps = random_maps(spec)
    boxes, scores = lazy = RawMaps(maps, spec)
    expected = decode(maps, spec)
    assert len(lazy) == 2 and (boxes == expected[0]).all() and (scores == expected[1]).all()
    assert lazy[0] is boxes  # decoded once
