"""YOLOv3's box coding: numbers by hand, encode undone by both decoders, and the decoders alike."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gluon_yolo.boxes import cxcywh_to_xyxy
from gluon_yolo.compat import nd
from gluon_yolo.nn.coding import CODINGS, YOLOv3Coding, coding_of
from gluon_yolo.spec import DetectionSpec

# box (centre, size), cell (column, row), anchor, stride, target
CASES = [
    ((100, 50, 60, 120), (6, 3), (59, 119), 16, (0.25, 0.125, math.log(60 / 59), math.log(120 / 119))),
    ((16, 16, 10, 13), (2, 2), (10, 13), 8, (0, 0, 0, 0)),  # on the cell's corner, the anchor's size
    ((20, 28, 20, 6.5), (2, 3), (10, 13), 8, (0.5, 0.5, math.log(2), -math.log(2))),
    ((4, 4, 0, 0.5), (0, 0), (10, 13), 8, (0.5, 0.5, -math.log(10), -math.log(13))),  # under a pixel: one
    ((-8, 40, 10, 13), (0, 0), (10, 13), 8, (0, 1, 0, 0)),  # centre outside the cell: on its edge
]


@pytest.mark.parametrize(("cxcywh", "cell", "anchor", "stride", "target"), CASES)
def test_encode_by_hand(cxcywh, cell, anchor, stride, target):
    columns = (np.array([column], dtype=np.float32) for column in (cxcywh, cell, anchor))
    encoded = YOLOv3Coding.encode(*columns, np.array([stride]))
    assert encoded.dtype == np.float32
    np.testing.assert_allclose(encoded, [target], atol=1e-6)


def test_decode_by_hand():
    # logit 0 is the cell's middle; log 2 doubles the anchor: centre (6.5, 3.5) * 16, size 118 x 59.5
    deltas = np.array([[0, 0, math.log(2), -math.log(2)]])
    corners = YOLOv3Coding.decode_array(deltas, np.array([[6, 3]]), np.array([[59, 119]]), np.array([16]))
    np.testing.assert_allclose(corners, [[104 - 59, 56 - 29.75, 104 + 59, 56 + 29.75]])


def random_boxes(count: int):
    """Return boxes (centre, size), their cells, and an anchor and a stride for each."""
    rng = np.random.default_rng(0)
    strides = rng.choice([8, 16, 32], count)
    cells = rng.integers(0, 10, (count, 2))
    centres = (cells + rng.uniform(0.01, 0.99, (count, 2))) * strides[:, None]
    boxes = np.concatenate([centres, np.exp(rng.uniform(0, 6, (count, 2)))], axis=1)
    return boxes, cells, rng.uniform(5, 300, (count, 2)), strides


def test_a_stretched_sigmoid_by_hand():
    # reach 1.2: logit 0 stays the middle; the cell's edges are 1/12 inside the sigmoid's range
    centres = np.array([[8, 8, 10, 13], [0, 16, 10, 13], [-1.6, 17.6, 10, 13], [-9, 40, 10, 13]], float)
    cell, anchor, stride = np.zeros((4, 2)), np.tile([10, 13], (4, 1)), np.full(4, 16)
    encoded = YOLOv3Coding.encode(centres, cell, anchor, stride, np.full(4, 1.2))
    places = [[0.5, 0.5], [1 / 12, 11 / 12], [0, 1], [0, 1]]
    np.testing.assert_allclose(encoded[:, :2], places, atol=1e-6)
    corners = YOLOv3Coding.decode_array(
        np.array([[0, np.log(11), 0, 0]]), cell[:1], anchor[:1], stride[:1], 1.2
    )
    np.testing.assert_allclose(corners, [[8 - 5, 16 - 6.5, 8 + 5, 16 + 6.5]])


@pytest.mark.parametrize("reach", [1, 1.2, 2])
def test_decoding_undoes_encoding(reach):
    boxes, *where = random_boxes(100)
    where.append(np.full(100, float(reach)))
    targets = YOLOv3Coding.encode(boxes, *where).astype(float)
    raw = targets.copy()
    raw[:, :2] = np.log(targets[:, :2] / (1 - targets[:, :2]))  # targets hold the sigmoid's value
    np.testing.assert_allclose(
        YOLOv3Coding.decode_array(raw, *where), cxcywh_to_xyxy(boxes), rtol=1e-4, atol=1e-3
    )


@pytest.mark.parametrize("reach", [1, 1.05])
def test_both_decoders_are_one(reach):
    rng = np.random.default_rng(1)
    batch, height, width, stride = 2, 3, 5, 16
    anchors = np.array([[10, 13], [59, 119]], dtype=np.float32)
    deltas = rng.normal(0, 1, (batch, 2, 4, height, width)).astype(np.float32)
    sides = YOLOv3Coding.decode(nd, nd.array(deltas), nd.array(anchors.reshape(1, 2, 2, 1, 1)), stride, reach)
    assert all(side.shape == (batch, 2, 1, height, width) for side in sides)
    corners = np.stack([side.asnumpy()[:, :, 0] for side in sides], axis=-1)
    for b, a, row, column in np.ndindex(batch, 2, height, width):
        expected = YOLOv3Coding.decode_array(
            deltas[b, a, :, row, column][None],
            np.array([[column, row]]),
            anchors[a : a + 1],
            np.array([stride]),
            reach,
        )
        np.testing.assert_allclose(corners[b, a, row, column], expected[0], rtol=1e-5, atol=1e-4)


def test_codings_by_name():
    assert CODINGS == {"yolo3": YOLOv3Coding}
    assert coding_of(DetectionSpec(("cat",))) is YOLOv3Coding
    with pytest.raises(ValueError, match="box_coding: expected one of yolo3, got 'polar'"):
        coding_of(DetectionSpec(("cat",), box_coding="polar"))
