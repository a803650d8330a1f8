"""DecoupledHeads: the layout of the raw map, the prior, one head for all levels."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.models.heads import ClassChannels, DecoupledHeads
from gluon_yolo.mxnet_compat import nd


def made(anchors=(2, 2), classes=3):
    heads = DecoupledHeads(4, anchors, classes)
    heads.initialize()
    return heads


def test_layout_and_which_map_each_part_reads():
    heads = made()
    classes, boxes = nd.random.normal(shape=(1, 4, 2, 3)), nd.random.normal(shape=(1, 4, 2, 3))
    (raw,) = heads(classes, boxes)
    assert raw.shape == (1, 5 * 2 + 3, 2, 3)
    for part, head, source in (
        (slice(0, 8), heads.boxes, boxes),
        (slice(8, 10), heads.objectness, classes),
        (slice(10, 13), heads.classes, classes),
    ):
        np.testing.assert_allclose(raw.asnumpy()[:, part], head(source).asnumpy(), rtol=1e-5, atol=1e-8)


def test_levels_share_the_head():
    heads = made()
    classes, boxes = nd.random.normal(shape=(1, 4, 2, 2)), nd.random.normal(shape=(1, 4, 2, 2))
    fine, coarse = heads(classes, boxes, classes, boxes)
    np.testing.assert_array_equal(fine.asnumpy(), coarse.asnumpy())
    assert len(heads.collect_params().keys()) == 6


def test_prior_is_every_anchors_objectness_and_nothing_else():
    heads = made(anchors=(3,), classes=2)
    heads.set_prior(0.01)
    (raw,) = heads(nd.zeros((1, 4, 1, 1)), nd.zeros((1, 4, 1, 1)))
    probabilities = 1 / (1 + np.exp(-raw.asnumpy().ravel()))
    np.testing.assert_allclose(probabilities[12:15], 0.01, rtol=1e-4)
    np.testing.assert_allclose(np.delete(probabilities, [12, 13, 14]), 0.5)


def test_where_the_classes_are():
    heads = made()
    parameters = heads._collect_params_with_prefix()
    assert set(heads.class_channels) == {"classes.weight", "classes.bias"} <= set(parameters)
    for name, place in heads.class_channels.items():
        assert place == ClassChannels(level=0, anchors=1, box_channels=0)  # rows of classes only
        assert parameters[name].shape[0] == 3


@pytest.mark.parametrize("anchors", [1, 5])
def test_any_number_of_anchors(anchors):
    (raw,) = made((anchors,), classes=2)(nd.zeros((1, 4, 1, 1)), nd.zeros((1, 4, 1, 1)))
    assert raw.shape == (1, 5 * anchors + 2, 1, 1)


def test_levels_that_differ_are_refused():
    with pytest.raises(UserError, match="as many anchors; got 3, 2"):
        DecoupledHeads(4, (3, 2), 1)
