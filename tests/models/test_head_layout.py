"""Head layouts: the channels of a raw map, and scores computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gluon_yolo.models.head_layout import (
    HEAD_LAYOUTS,
    ObjectnessTimesClass,
    ObjectnessTimesSoftmax,
    head_layout_of,
)
from gluon_yolo.mxnet_compat import nd
from gluon_yolo.spec import DetectionSpec

# A raw map of one image, two anchors, three classes and 1x2 cells; a channel holds its number in the left
# cell and its number and a half in the right one.
CASES = [
    (
        ObjectnessTimesClass,
        16,
        [[0, 1, 2, 3], [8, 9, 10, 11]],  # deltas of each anchor
        [4, 12],  # objectness of each anchor
        [[5, 6, 7], [13, 14, 15]],  # classes of each anchor
    ),
    (ObjectnessTimesSoftmax, 13, [[0, 1, 2, 3], [4, 5, 6, 7]], [8, 9], [[10, 11, 12]]),
]


@pytest.mark.parametrize(("rule", "channels", "deltas", "objectness", "classes"), CASES)
def test_channels_by_hand(rule, channels, deltas, objectness, classes):
    assert rule.channels(2, 3) == channels
    raw = np.arange(channels)[None, :, None, None] + np.array([0, 0.5])
    found = [part.asnumpy() for part in rule.split(nd, nd.array(raw), 2)]
    cells = np.array([0, 0.5])
    np.testing.assert_array_equal(found[0], np.array(deltas)[None, :, :, None, None] + cells)
    np.testing.assert_array_equal(found[1], [[number + cell for number in objectness for cell in cells]])
    np.testing.assert_array_equal(found[2], np.array(classes)[None, :, :, None] + cells)
    rows = rule.class_rows(nd, nd.array(found[2]), 2).asnumpy()
    own = classes * (2 // len(classes))  # every anchor gets the shared classes
    np.testing.assert_array_equal(rows, [[np.add(numbers, cell) for numbers in own for cell in cells]])


def test_scores_by_hand():
    """Objectness 1/2 and 3/4; class odds of 1, 3 and 7 to 1."""
    objectness = nd.array([[0, math.log(3)]])
    logits = [0, math.log(3), math.log(7)]
    both = nd.array(np.array([[logits, logits[::-1]]])[..., None])  # two anchors, one cell
    found = ObjectnessTimesClass.scores(nd, objectness, both, 2).asnumpy()
    np.testing.assert_allclose(found, [[[1 / 4, 3 / 8, 7 / 16], [21 / 32, 9 / 16, 3 / 8]]], rtol=1e-6)
    shared = nd.array(np.array(logits)[None, None, :, None])
    found = ObjectnessTimesSoftmax.scores(nd, objectness, shared, 2).asnumpy()
    np.testing.assert_allclose(found, [[[1 / 22, 3 / 22, 7 / 22], [3 / 44, 9 / 44, 21 / 44]]], rtol=1e-6)


def test_one_class_is_certain():
    found = ObjectnessTimesSoftmax.scores(nd, nd.array([[0.0]]), nd.array([[[[-5.0]]]]), 1)
    assert found.asnumpy().tolist() == [[[0.5]]]


def test_rules_by_name():
    assert HEAD_LAYOUTS.keys() == {"objectness_times_class", "objectness_times_softmax"}
    assert head_layout_of(DetectionSpec(("cat",))) is ObjectnessTimesClass
    spec = DetectionSpec(("cat",), score_rule="objectness_times_softmax")
    assert head_layout_of(spec) is ObjectnessTimesSoftmax
    with pytest.raises(ValueError, match="score_rule: expected one of objectness_times_class, .* got 'best'"):
        head_layout_of(DetectionSpec(("cat",), score_rule="best"))
