"""Decoding in NumPy is the network's own decoding."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.compat import mx
from gluon_yolo.inference.decode import decode
from gluon_yolo.nn.decode import Decode
from gluon_yolo.nn.scores import score_rule_of
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
    channels = score_rule_of(spec).channels(2, spec.num_classes)
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
