"""Verification: differences of boxes in pixels, and of scores."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.exporters.verify import Bound, Parity, Reference, WrongResults, compare, relative_error
from gluon_yolo.inference.runtimes import mxnet
from gluon_yolo.mxnet_compat import mx
from tests.random_model import random_detector, random_image

IMAGES = np.stack([random_image(64, 96, seed) for seed in range(2)])


@pytest.fixture(scope="module")
def net():
    return random_detector()


def changed(net, change):
    """Return the network with changed boxes and scores."""
    network = mxnet.from_block(net)

    def run(pixels):
        boxes, scores = network(pixels)
        change(boxes, scores)
        return boxes, scores

    return run


def test_the_network_itself(net):
    found = compare(net, mxnet.from_block(net), [IMAGES, IMAGES[:1]])
    assert (
        found.boxes < 0.02 and found.scores < 2e-5 and found.images == 3
    )  # fused operators round differently
    assert str(Parity(0.001, 2e-6, 3)) == (
        "largest difference from the network on 3 pictures: "
        "boxes 0.001 pixels (bound 0.05), scores 2.0e-06 (bound 1e-04)"
    )


def nudge_box(boxes, scores):
    place = np.abs(boxes[1]).max(axis=1).argmin()  # inside the image, where no difference is scaled down
    boxes[1, place, 2] += 0.25


def nudge_score(boxes, scores):
    scores[0, 5, 1] += 0.125


@pytest.mark.parametrize(
    ("change", "boxes", "scores"), [(nudge_box, 0.25, 0), (nudge_score, 0, 0.125)], ids=["box", "score"]
)
def test_one_number_off(net, change, boxes, scores):
    found = compare(net, changed(net, change), [IMAGES])
    assert not found.holds
    assert found.boxes == pytest.approx(boxes, abs=0.02) and found.scores == pytest.approx(scores, abs=2e-5)
    assert compare(net, changed(net, change), [IMAGES], Bound(0.3, 0.2)).holds


def test_box_beyond_the_image_counts_in_proportion(net):
    """A side at ten times the image's length: a tenth of its difference."""
    boxes, scores = mxnet.from_block(net)(IMAGES)
    assert np.abs(boxes).max() > 96  # the random network has such boxes
    place = np.unravel_index(np.abs(boxes).argmax(), boxes.shape)

    def shift(boxes, scores):
        boxes[place] += 1

    expected = 96 / np.abs(boxes[place])
    assert compare(net, changed(net, shift), [IMAGES]).boxes == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_is_no_number_never_holds(net, number):
    def spoil(boxes, scores):
        scores[0, 0, 0] = number

    assert not compare(net, changed(net, spoil), [IMAGES]).holds


def test_other_shapes(net):
    with pytest.raises(ValueError, match=r"expected shapes \(2, .*got \(1, "):
        compare(net, lambda pixels: mxnet.from_block(net)(pixels[:1]), [IMAGES])


def test_no_image(net):
    with pytest.raises(ValueError, match="no picture"):
        compare(net, mxnet.from_block(net), [])


def test_what_does_not_hold_is_an_error(net):
    reference = Reference(net, [IMAGES])
    assert reference.demand(mxnet.from_block(net), "toy.onnx").holds
    with pytest.raises(
        WrongResults, match="toy.onnx: largest difference .* boxes 0.25 pixels .*; nothing was"
    ):
        reference.demand(changed(net, nudge_box), "toy.onnx")


def test_damaged_weights():
    net = random_detector()
    net.heads.levels[0].bias.set_data(mx.nd.full(net.heads.levels[0].bias.shape, np.nan))
    with pytest.raises(UserError, match="not finite"):
        compare(net, mxnet.from_block(net), [IMAGES])


INF = np.inf


@pytest.mark.parametrize(
    "expected, given, error",
    [
        ([INF, -INF, 2.0], [INF, -INF, 2.0], 0),
        ([INF, 2.0], [INF, 3.0], 0.5),  # not hidden by the overflow
        ([4.0, 100.0], [5.0, 100.0], 0.01),
        ([0.25], [0.5], 0.25),
        ([INF], [-INF], 2),
        ([INF], [3e38], 0),  # both far outside the image
        ([INF], [5.0], 1),
        ([1.0], [np.nan], np.nan),
    ],
)
def test_a_relative_error_knows_overflow(expected, given, error):
    found = relative_error(np.float32(expected), np.float32(given))
    assert found == pytest.approx(error, rel=1e-5, nan_ok=True)


@pytest.mark.parametrize(
    "height, said",
    [(0.0, ""), (12.0, " times the input's side, as those of"), (200.0, "reach beyond all numbers, as")],
)
def test_a_network_whose_boxes_overflow_is_the_cause(height, said):
    net = random_detector()
    for level in net.heads.levels:
        bias = level.bias.data().asnumpy()
        bias[3::8] += height  # of an anchor's box: the logarithm of its height
        level.bias.set_data(mx.nd.array(bias))

    def change(boxes, scores):
        scores[0, 0, 0] += 0.5

    with pytest.raises(WrongResults) as caught:
        Reference(net, [IMAGES]).demand(changed(net, change), "toy.onnx")
    named = "; the network's own boxes reach " in str(caught.value)
    assert named == bool(height) and said in str(caught.value)
    assert not named or str(caught.value).endswith("train it longer; nothing was written")
