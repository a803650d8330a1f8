"""Heads: the prior of new ones, and classes copied by name."""

from __future__ import annotations

import numpy as np

from gluon_yolo.models.heads import ClassChannels, YOLOv3Heads
from gluon_yolo.mxnet_compat import nd


def test_levels_may_differ_in_anchors():
    heads = YOLOv3Heads((8, 16), (2, 3), num_classes=4)
    heads.initialize()
    maps = heads(nd.zeros((1, 8, 4, 6)), nd.zeros((1, 16, 2, 3)))
    assert [raw.shape for raw in maps] == [(1, 2 * 9, 4, 6), (1, 3 * 9, 2, 3)]


def test_prior_is_every_anchors_objectness():
    heads = YOLOv3Heads((8,), (3,), num_classes=4)
    heads.initialize()
    heads.set_prior(0.01)
    (raw,) = heads(nd.zeros((1, 8, 1, 1)))
    probabilities = 1 / (1 + np.exp(-raw.asnumpy().reshape(3, 9)))
    np.testing.assert_allclose(probabilities[:, 4], 0.01, rtol=1e-4)
    np.testing.assert_allclose(np.delete(probabilities, 4, axis=1), 0.5)


def test_rows_by_class_name():
    """Two anchors; the trained head has dog and cat, the new one cat and bird."""
    trained = np.array([1, 2, 3, 4, 5, 60, 70, 11, 12, 13, 14, 15, 160, 170], dtype=np.float32)
    fresh = np.full(14, -1, dtype=np.float32)
    merged = ClassChannels(0, 2).take_over(fresh, trained, ("cat", "bird"), ("dog", "cat"))
    assert merged.tolist() == [1, 2, 3, 4, 5, 70, -1, 11, 12, 13, 14, 15, 170, -1]
    assert (fresh == -1).all()


def test_rows_of_a_weight_with_other_and_unknown_classes():
    trained = np.arange(16, dtype=np.float32).reshape(8, 2, 1, 1)  # one anchor, three classes
    fresh = np.full((6, 2, 1, 1), -1, dtype=np.float32)  # one class
    by_name = ClassChannels(0, 1).take_over(fresh, trained, ["cat"], ["dog", "bird", "cat"])
    assert by_name[:, :, 0, 0].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [14, 15]]
    unknown = ClassChannels(0, 1).take_over(fresh, trained, ["cat"], ())
    assert unknown[:, :, 0, 0].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [-1, -1]]


def test_rows_of_classes_that_all_anchors_share():
    trained = np.array([[6], [7]], dtype=np.float32)
    fresh = np.full((3, 1), -1, dtype=np.float32)
    shared = ClassChannels(0, 1, box_channels=0)
    assert shared.take_over(fresh, trained, ("ox", "cat", "dog"), ("dog", "cat")).tolist() == [[-1], [7], [6]]
    assert shared.count(trained, anchors=3) == 2
    assert ClassChannels(0, 2).count(np.zeros(14), anchors=2) == 2
