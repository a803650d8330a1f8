"""Box coders: values by hand, encode and decode as inverses, equal decoders, and finite values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gluon_yolo.boxes import cxcywh_to_xyxy
from gluon_yolo.models.box_coder import (
    ANCHOR_GRID_COLUMNS,
    BOX_CODERS,
    SquaredSigmoidBoxCoder,
    YOLOv3BoxCoder,
    box_coder_of,
)
from gluon_yolo.mxnet_compat import autograd, nd
from gluon_yolo.spec import DetectionSpec

# box (centre, size), cell (column, row), anchor, stride, target
CASES = [
    ((100, 50, 60, 120), (6, 3), (59, 119), 16, (0.25, 0.125, math.log(60 / 59), math.log(120 / 119))),
    ((16, 16, 10, 13), (2, 2), (10, 13), 8, (0, 0, 0, 0)),  # on the cell's corner, the anchor's size
    ((20, 28, 20, 6.5), (2, 3), (10, 13), 8, (0.5, 0.5, math.log(2), -math.log(2))),
    ((4, 4, 0, 0.5), (0, 0), (10, 13), 8, (0.5, 0.5, -math.log(10), -math.log(13))),  # at least a pixel
    ((-8, 40, 10, 13), (0, 0), (10, 13), 8, (0, 1, 0, 0)),  # centre outside the cell: clipped to its edge
]

# size ratios, targets
SQUARED_CASES = [
    ((1, 1), (0.5, 0.5)),  # the anchor's size: the middle of the sigmoid
    ((4, 0.25), (1, 0.25)),  # the largest size; half of the root of a quarter
    ((9, 100), (1, 1)),  # too large: as the largest
    ((2.25, 1e-9), (0.75, math.sqrt(1 / 20) / 2)),  # a side under one pixel counts as one, of an anchor of 20
]


@pytest.mark.parametrize(("cxcywh", "cell", "anchor", "stride", "target"), CASES)
def test_encode_by_hand(cxcywh, cell, anchor, stride, target):
    columns = (np.array([column], dtype=np.float32) for column in (cxcywh, cell, anchor))
    encoded = YOLOv3BoxCoder.encode(*columns, np.array([stride]))
    assert encoded.dtype == np.float32
    np.testing.assert_allclose(encoded, [target], atol=1e-6)


@pytest.mark.parametrize(("ratio", "target"), SQUARED_CASES)
def test_encode_a_squared_sigmoid_by_hand(ratio, target):
    anchor = np.array([[40, 20]])
    box = np.concatenate([[[20, 40]], anchor * ratio], axis=1)
    encoded = SquaredSigmoidBoxCoder.encode(box, np.array([[1, 2]]), anchor, np.array([16]), np.array([2]))
    # centre (1.25, 2.5) cells: a quarter left of the middle of cell 1, of a range of two cells; the middle of
    # cell 2
    np.testing.assert_allclose(encoded, [[0.5 - 0.25 / 2, 0.5, *target]], atol=1e-6)


def test_decode_a_squared_sigmoid_by_hand():
    # sigmoid(log 3) = 3/4: size (2 * 3/4)^2 = 2.25 of the anchor; sigmoid(-log 3) = 1/4: a quarter of it.
    # Centre: 3/4 of the range from -1/2 to 3/2 is one cell: at (2, 2.5) cells.
    deltas = np.array([[math.log(3), 0, math.log(3), -math.log(3)]])
    corners = SquaredSigmoidBoxCoder.decode_array(
        deltas, np.array([[1, 2]]), np.array([[40, 20]]), np.array([16]), 2
    )
    np.testing.assert_allclose(corners, [[32 - 45, 40 - 2.5, 32 + 45, 40 + 2.5]])


def test_decode_by_hand():
    # logit 0 is the middle of the cell; log 2 doubles the anchor: centre (6.5, 3.5) * 16, size 118 x 59.5
    deltas = np.array([[0, 0, math.log(2), -math.log(2)]])
    corners = YOLOv3BoxCoder.decode_array(deltas, np.array([[6, 3]]), np.array([[59, 119]]), np.array([16]))
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
    # range 1.2: logit 0 is still the middle; the cell's edges are 1/12 inside the sigmoid's range
    centres = np.array([[8, 8, 10, 13], [0, 16, 10, 13], [-1.6, 17.6, 10, 13], [-9, 40, 10, 13]], float)
    cell, anchor, stride = np.zeros((4, 2)), np.tile([10, 13], (4, 1)), np.full(4, 16)
    encoded = YOLOv3BoxCoder.encode(centres, cell, anchor, stride, np.full(4, 1.2))
    places = [[0.5, 0.5], [1 / 12, 11 / 12], [0, 1], [0, 1]]
    np.testing.assert_allclose(encoded[:, :2], places, atol=1e-6)
    corners = YOLOv3BoxCoder.decode_array(
        np.array([[0, np.log(11), 0, 0]]), cell[:1], anchor[:1], stride[:1], 1.2
    )
    np.testing.assert_allclose(corners, [[8 - 5, 16 - 6.5, 8 + 5, 16 + 6.5]])


@pytest.mark.parametrize("reach", [1, 1.2, 2])
def test_decoding_undoes_encoding(reach):
    boxes, *where = random_boxes(100)
    where.append(np.full(100, float(reach)))
    targets = YOLOv3BoxCoder.encode(boxes, *where).astype(float)
    raw = targets.copy()
    raw[:, :2] = logit(targets[:, :2])  # targets hold the sigmoid's value
    np.testing.assert_allclose(
        YOLOv3BoxCoder.decode_array(raw, *where), cxcywh_to_xyxy(boxes), rtol=1e-4, atol=1e-3
    )


@pytest.mark.parametrize("reach", [1, 2])
def test_decoding_undoes_encoding_of_a_squared_sigmoid(reach):
    boxes, cells, anchors, strides = random_boxes(100)
    boxes[:, 2:] = anchors * np.random.default_rng(1).uniform(0.3, 3.9, (100, 2))  # up to four times
    where = cells, anchors, strides, np.full(100, float(reach))
    raw = logit(SquaredSigmoidBoxCoder.encode(boxes, *where).astype(float))
    np.testing.assert_allclose(
        SquaredSigmoidBoxCoder.decode_array(raw, *where), cxcywh_to_xyxy(boxes), rtol=1e-4, atol=2e-3
    )


def logit(p):
    return np.log(p / (1 - p))


@pytest.mark.parametrize("box_coder", BOX_CODERS.values(), ids=BOX_CODERS)
@pytest.mark.parametrize("reach", [1, 1.05, 2])
def test_all_decoders_are_one(box_coder, reach):
    rng = np.random.default_rng(1)
    batch, height, width, stride = 2, 3, 5, 16
    anchors = np.array([[10, 13], [59, 119]], dtype=np.float32)
    deltas = rng.normal(0, 1, (batch, 2, 4, height, width)).astype(np.float32)
    sides = box_coder.decode(nd, nd.array(deltas), nd.array(anchors.reshape(1, 2, 2, 1, 1)), stride, reach)
    assert all(side.shape == (batch, 2, 1, height, width) for side in sides)
    corners = np.stack([side.asnumpy()[:, :, 0] for side in sides], axis=-1)
    for b, a, row, column in np.ndindex(batch, 2, height, width):
        delta = deltas[b, a, :, row, column][None]
        cell = np.array([[column, row]])
        expected = box_coder.decode_array(delta, cell, anchors[a : a + 1], np.array([stride]), reach)
        np.testing.assert_allclose(corners[b, a, row, column], expected[0], rtol=1e-5, atol=1e-4)
        place = np.array([[[column, row, stride, reach, *anchors[a] / 2]]])
        assert place.shape[2] == ANCHOR_GRID_COLUMNS
        sides = box_coder.decode_rows(nd, nd.array(delta[None]), nd.array(place))
        found = [side.asnumpy()[0, 0, 0] for side in sides]
        np.testing.assert_allclose(found, expected[0], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("box_coder", BOX_CODERS.values(), ids=BOX_CODERS)
def test_a_loss_may_decode_anything(box_coder):
    """Boxes and gradients are finite for any raw prediction."""
    values = np.array([-1e6, -200, -20, 0, 7.9, 8.1, 20, 200, 1e6])
    deltas = nd.array(np.tile(values[None, :, None], (1, 1, 4)))
    places = nd.array(np.tile([3, 2, 16, 2, 186.5, 163], (1, len(values), 1)))
    deltas.attach_grad()
    with autograd.record():
        sides = box_coder.decode_rows(nd, deltas, places)
        width = sides[2] - sides[0]
    width.backward()
    assert all(np.isfinite(side.asnumpy()).all() for side in sides)
    slopes = deltas.grad.asnumpy()[0]
    assert np.isfinite(slopes).all() and (slopes[:, 2] >= 0).all()
    assert (np.diff(width.asnumpy()[0, :, 0]) >= 0).all()  # a larger prediction gives a larger box


def test_an_exponential_goes_on_as_its_tangent():
    deltas = nd.array([[7.5, 8.0, 8.5, 30.0]])
    deltas.attach_grad()
    with autograd.record():
        ratio = YOLOv3BoxCoder.bounded_ratio(nd, deltas)
    ratio.backward()
    edge = math.exp(8)
    np.testing.assert_allclose(ratio.asnumpy(), [[math.exp(7.5), edge, 1.5 * edge, 23 * edge]], rtol=1e-5)
    np.testing.assert_allclose(deltas.grad.asnumpy(), [[math.exp(7.5), edge, edge, edge]], rtol=1e-5)


@pytest.mark.filterwarnings("error")
def test_a_squared_sigmoid_is_never_more_than_four_anchors():
    deltas = np.array([[1e6, -1e6, 1e6, -1e6]])
    corners = SquaredSigmoidBoxCoder.decode_array(
        deltas, np.array([[0, 0]]), np.array([[40, 20]]), np.array([16]), 2
    )
    # centre at the ends of the range: 1.5 and -0.5 cells; four times the anchor's width, and no height
    np.testing.assert_allclose(corners, [[24 - 80, -8, 24 + 80, -8]])


def test_the_same_in_a_graph():
    deltas = nd.array([1e6, -1e6, 1e6, -1e6]).reshape((1, 1, 4, 1, 1))
    anchors = nd.array([40, 20]).reshape((1, 1, 2, 1, 1))
    sides = SquaredSigmoidBoxCoder.decode(nd, deltas, anchors, 16, 2)
    assert [side.asscalar() for side in sides] == [24 - 80, -8, 24 + 80, -8]


def test_codings_by_name():
    assert BOX_CODERS == {"yolo3": YOLOv3BoxCoder, "squared_sigmoid": SquaredSigmoidBoxCoder}
    assert box_coder_of(DetectionSpec(("cat",))) is YOLOv3BoxCoder
    assert box_coder_of(DetectionSpec(("cat",), box_coding="squared_sigmoid")) is SquaredSigmoidBoxCoder
    with pytest.raises(ValueError, match="box_coding: expected one of yolo3, squared_sigmoid, got 'polar'"):
        box_coder_of(DetectionSpec(("cat",), box_coding="polar"))
