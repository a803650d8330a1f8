"""Caffe's weights in a network: held against OpenCV's Caffe reader; weights that do not fit are named."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gluon_yolo.errors import UserError
from tests import caffe_network
from tests.caffe_network import CONV, INPUT, SIDE, layer

pytest.importorskip("google.protobuf", reason="protobuf is not installed")

from gluon_yolo.caffe import binary, blobs  # noqa: E402
from gluon_yolo.mxnet_compat import mx  # noqa: E402
from gluon_yolo.weights import caffe_model  # noqa: E402

MEAN, SCALE = (100.0, 110.0, 120.0), (50.0, 60.0, 70.0)
needs_reader = pytest.mark.skipif(
    not hasattr(cv2.dnn, "readNetFromCaffe"), reason="OpenCV 5 has no Caffe reader"
)


def pixels(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def ours(net, rgb: np.ndarray) -> np.ndarray:
    return net(mx.nd.array(rgb[None], dtype="uint8"))[0].asnumpy()


def by_opencv(prototxt, caffemodel, rgb: np.ndarray, colour: str) -> np.ndarray:
    net = cv2.dnn.readNetFromCaffe(str(prototxt), str(caffemodel))
    given = rgb[:, :, ::-1] if colour == "bgr" else rgb
    net.setInput(((given - np.array(MEAN)) / np.array(SCALE)).astype(np.float32).transpose(2, 0, 1)[None])
    return net.forward().reshape(1, -1)


@needs_reader
@pytest.mark.parametrize("colour", ("bgr", "rgb"))
@pytest.mark.parametrize("first", ("convolution", "scale"))
def test_the_network_gives_what_opencv_gives(tmp_path, colour, first):
    layers = caffe_network.LAYERS
    if first == "scale":  # the channels are put in order, since no convolution can take another order
        scale = layer("s0", "Scale", "data", "data", "scale_param { bias_term: true }")
        layers = (layers[0], scale, *layers[1:])
    prototxt, caffemodel = caffe_network.write(tmp_path, layers)
    net, others = caffe_model.load(prototxt, caffemodel, "small", colour, MEAN, SCALE)
    assert (others, net.swaps) == ((), first == "scale" and colour == "bgr")
    expected = by_opencv(prototxt, caffemodel, pixels(), colour)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(ours(net, pixels()), expected, atol=1e-5)


def test_a_batch_norms_sums_are_divided(tmp_path):
    layers = (INPUT, layer("b", "BatchNorm", "data", "", "batch_norm_param { eps: 0.5 }"))
    prototxt, caffemodel = caffe_network.write(
        tmp_path, (*layers, layer("fc", "InnerProduct", "b", "", PAIR))
    )
    net = binary.read(caffemodel)
    for blob, values in zip(net.layer[1].blobs, ([10, 20, 30], [5, 10, 15], [10])):
        blob.CopyFrom(blobs.blob_of(np.array(values, np.float32)))
    caffemodel.write_bytes(binary.write(net))
    norm = caffe_model.load(prototxt, caffemodel, "n")[0]._collect_params_with_prefix()
    assert norm["b.running_mean"].data().asnumpy().tolist() == [1, 2, 3]
    assert norm["b.running_var"].data().asnumpy().tolist() == [0.5, 1, 1.5]


PAIR = "inner_product_param { num_output: 2 }"
SMALL = (
    INPUT,
    layer("c1", "Convolution", "data", "", CONV % ""),
    layer("fc", "InnerProduct", "c1", "", PAIR),
)


def changed(tmp_path, change) -> str:
    """Return what is said of the small network's weights after a change of its first convolution's blobs."""
    prototxt, caffemodel = caffe_network.write(tmp_path, SMALL)
    net = binary.read(caffemodel)
    change(net.layer[1])
    caffemodel.write_bytes(binary.write(net))
    with pytest.raises(UserError) as error:
        caffe_model.load(prototxt, caffemodel, "small")
    return str(error.value).replace(f"{caffemodel}: ", "")


def blob(*shape: int, value: float = 0.0):
    return blobs.blob_of(np.full(shape, value, np.float32))


CASES = {
    "no weights": (
        lambda one: one.ClearField("blobs"),
        'layer "c1" (Convolution): has no weights there; give the',
    ),
    "another name": (
        lambda one: setattr(one, "name", "c9"),
        'layer "c1" (Convolution): has no weights there',
    ),
    "no bias": (
        lambda one: one.blobs.pop(),
        'layer "c1" (Convolution): has 1 blob, where the prototxt asks for 2 blobs',
    ),
    "another shape": (
        lambda one: one.blobs[0].CopyFrom(blob(6, 3, 5, 5)),
        'layer "c1" (Convolution): blob 0 has the shape 6x3x5x5, where the prototxt asks for 6x3x3x3',
    ),
    "transposed": (
        lambda one: one.blobs[0].CopyFrom(blob(3, 6, 3, 3)),
        'layer "c1" (Convolution): blob 0 has the shape 3x6x3x3, where the prototxt asks for 6x3x3x3',
    ),
    "not finite": (
        lambda one: one.blobs[1].CopyFrom(blob(6, value=np.nan)),
        'layer "c1" (Convolution): blob 1 has numbers that are not finite',
    ),
    "cut short": (
        lambda one: one.blobs[1].data.pop(),
        'layer "c1" (Convolution): damaged: a blob of shape [6] has 5 numbers',
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_weights_that_do_not_fit_are_named(tmp_path, case):
    change, message = CASES[case]
    assert changed(tmp_path, change).startswith(message)


def test_weights_of_layers_that_are_not_there_are_told(tmp_path):
    prototxt, caffemodel = caffe_network.write(tmp_path, SMALL)
    net = binary.read(caffemodel)
    net.layer.add(name="loss", type="InnerProduct").blobs.append(blob(2, 2))
    caffemodel.write_bytes(binary.write(net))
    assert caffe_model.load(prototxt, caffemodel, "small")[1] == ("loss",)
