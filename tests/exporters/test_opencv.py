"""OpenCV runs exports with a fixed size; its reader of ONNX supports no free sizes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="package onnx is not installed")

from gluon_yolo.exporters import verify  # noqa: E402
from gluon_yolo.exporters.api import export  # noqa: E402
from gluon_yolo.exporters.ir.read_symbol import read_network  # noqa: E402
from gluon_yolo.exporters.onnx.write import make_model, write_model  # noqa: E402
from gluon_yolo.inference.runtimes.base import to_boxes  # noqa: E402
from gluon_yolo.mxnet_compat import mx  # noqa: E402
from tests.exporters.ir.test_read_symbol import MIDDLES  # noqa: E402
from tests.exporters.networks import ZOO, settled, trained  # noqa: E402
from tests.models.darknet import small  # noqa: E402
from tests.random_model import CLASSES, random_detector, random_image  # noqa: E402

SIZE_HW = (96, 128)
CLOSE = 1e-4  # as a share of the input's longer side, and of the range of scores
TRAINED = ("nano-coco", "fastest-voc", "fastest-voc-v2", "yolo-fastest-1.1", "yolo-fastest-1.1-xl")
TRAINED += ("yoloface-50k", "yoloface-500k", "yoloface-500k-v2")
# Operators that are the most common in their kind; OpenCV 4.6 and later, TensorRT and ncnn support these.
COMMON = {"Add", "Cast", "Clip", "Concat", "Conv", "Elu", "Exp", "GlobalAveragePool", "LeakyRelu", "MaxPool"}
COMMON |= {"Identity", "Mul", "Relu", "Reshape", "Resize", "Sigmoid", "Slice", "Softmax", "Softplus", "Sub"}
COMMON |= {"Tanh", "Transpose"}


def maps_of(path, pixels):
    """Return OpenCV's results by output."""
    net = cv2.dnn.readNetFromONNX(str(path))
    net.setInput(pixels)
    names = net.getUnconnectedOutLayersNames()
    return dict(zip(names, net.forward(names)))


def check(net, folder, size_hw=SIZE_HW, batch=1):
    """Compare both cuts, for an image and for a batch, with the network itself."""
    if not hasattr(net, "plan") and "mobilenetv2" in net.zoo_name and small_version() < (4, 7):
        pytest.skip("OpenCV before 4.7 has no Clip with two limits")
    pixels = np.stack([random_image(*size_hw, seed) for seed in range(batch)])
    graph, path = read_network(net), folder / "toy.onnx"
    for cut in ("raw", "decoded"):
        model = make_model(graph, net.spec, "toy", cut, fixed=(batch, *size_hw))
        assert {node.op_type for node in model.graph.node} <= COMMON
        write_model(model, path)
        given = maps_of(path, pixels)
        if cut == "raw":
            for level, expected in enumerate(net(mx.nd.array(pixels, dtype="uint8"))):
                expected, ours = expected.asnumpy(), given[f"raw_{level}"]
                assert ours.shape == expected.shape
                assert np.abs(ours - expected).max() <= CLOSE * max(1, np.abs(expected).max())
        boxes, scores = to_boxes(given, net.spec, path)
        bound = verify.Bound(CLOSE * max(size_hw), CLOSE)
        found = verify.compare(net, lambda _, pair=(boxes, scores): pair, [pixels], bound)
        assert found.holds, found


def small_version():
    return tuple(int(word) for word in cv2.__version__.split(".")[:2])


@pytest.mark.parametrize("name", [name for name in ZOO if name.endswith(("0.25", "v2"))])
def test_family(name, tmp_path):
    check(settled(name, CLASSES), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ZOO if not name.endswith(("0.25", "v2"))])
def test_larger_family(name, tmp_path):
    check(settled(name, CLASSES), tmp_path)


@pytest.mark.parametrize("name", TRAINED)
def test_trained_darknet(name, tmp_path, shared_data):
    """With squeeze-and-excitation, spatial pyramid pooling, route groups and scale_x_y."""
    check(trained(name, shared_data), tmp_path, (160, 128))


@pytest.mark.slow
def test_every_cfg(tmp_path, shared_data):
    for cfg in sorted((shared_data / "darknet" / "cfg").glob("*.cfg")):
        check(settled(str(cfg)), tmp_path)


@pytest.mark.parametrize("middle", MIDDLES)
def test_operator(middle, tmp_path):
    net = small.built(small.NET + small.BACKBONE + MIDDLES[middle] + small.YOLO)
    check(net, tmp_path, (32, 64))


def test_several_images(tmp_path):
    check(random_detector(), tmp_path, (64, 96), batch=3)


def test_what_is_exported(tmp_path):
    """OpenCV 4 can run the default cut of a fixed file; floats are accepted as well as bytes."""
    net = random_detector()
    done = export(net, tmp_path, ["onnx"], "toy", (64, 96), fixed_batch=1)
    image = random_image(64, 96)
    given = maps_of(tmp_path / "toy.onnx", image[None])
    assert set(given) == {"boxes", "scores"} and done.parities["onnx"].holds
    if cv2.__version__ < "5":
        floats = maps_of(tmp_path / "toy.onnx", image[None].astype(np.float32))
        assert (floats["scores"] == given["scores"]).all()
    best = given["scores"][0].max(axis=1).argmax()
    x1, y1, x2, y2 = given["boxes"][0, best]
    assert x1 < x2 and y1 < y2 and given["scores"].max() > 0.3
