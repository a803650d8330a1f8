"""Caffe's two files: their text, BVLC's rules, families in OpenCV and MNN, and a missing reader."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("google.protobuf", reason="protobuf is not installed")

import gluon_yolo  # noqa: E402
from gluon_yolo.caffe import binary, blobs, text  # noqa: E402
from gluon_yolo.errors import MissingDependency, UserError  # noqa: E402
from gluon_yolo.exporters.caffe.file import make_net, write_model  # noqa: E402
from gluon_yolo.exporters.ir.graph import Builder, InferenceGraph  # noqa: E402
from gluon_yolo.exporters.ir.read_symbol import read_network  # noqa: E402
from gluon_yolo.inference.runtimes.registry import RUNTIMES  # noqa: E402
from gluon_yolo.mxnet_compat import mx  # noqa: E402
from tests import caffe_network  # noqa: E402
from tests.exporters.caffe import judges  # noqa: E402
from tests.exporters.networks import ZOO, settled, trained  # noqa: E402
from tests.random_model import CLASSES, random_detector, random_image  # noqa: E402

SIZE_HW = (96, 128)
SMALLEST = "yolo_fastestv2"
TRAINED = ("yolo-fastest-1.1", "yoloface-500k-v2", "nano-coco", "fastest-voc", "fastest-voc-v2")
# Layers of BVLC's Caffe that OpenCV 4, MNN's converter and caffe2ncnn read as it does.
PORTABLE = {
    "Input",
    "Convolution",
    "Deconvolution",
    "Scale",
    "ReLU",
    "PReLU",
    "ELU",
    "Sigmoid",
    "TanH",
    "Power",
}
PORTABLE |= {"Eltwise", "Concat", "Pooling", "Crop", "Flatten"}
TEXT = """\
name: "toy"
layer {
  name: "data"
  type: "Input"
  top: "data"
  input_param {
    shape {
      dim: 1
      dim: 3
      dim: 8
      dim: 12
    }
  }
}
layer {
  name: "conv"
  type: "Convolution"
  bottom: "data"
  top: "conv"
  convolution_param {
    num_output: 4
    bias_term: false
    kernel_size: 3
    stride: 2
    pad_h: 1
    pad_w: 0
  }
}
layer {
  name: "raw_0"
  type: "ReLU"
  bottom: "conv"
  top: "raw_0"
  relu_param {
    negative_slope: 0.1
  }
}
"""


def test_the_text_and_the_weights(tmp_path):
    build, weight = Builder(), np.arange(108, dtype=np.float32).reshape(4, 3, 3, 3)
    sides = {"stride": (2, 2), "padding": (1, 0, 1, 0), "dilation": (1, 1), "groups": 1}
    conv = build.add("convolution", build.add("planes", "data"), name="conv", weights=[weight], **sides)
    leaky = build.add("leaky_relu", conv, slope=0.1)
    net = make_net(InferenceGraph(tuple(build.nodes), build.weights, {"raw_0": leaky}), "toy", (8, 12))
    write_model(net, tmp_path, "toy")
    lines = (tmp_path / "toy.prototxt").read_text().splitlines()
    assert sorted(lines) == sorted(
        TEXT.splitlines()
    )  # a message's fields stand in the order of their numbers
    read = binary.read(tmp_path / "toy.caffemodel")
    assert [(layer.name, layer.type, len(layer.blobs)) for layer in read.layer] == [
        ("data", "Input", 0),
        ("conv", "Convolution", 1),
        ("raw_0", "ReLU", 0),
    ]
    assert (blobs.array_of(read.layer[1].blobs[0]) == weight).all()


def obeys_bvlc(folder, name, outputs):
    """Both files have the same layers, each blob is written once, before it is read, and by a known layer."""
    shown, weighed = text.read(folder / f"{name}.prototxt"), binary.read(folder / f"{name}.caffemodel")
    assert not len(shown.layers) and not len(weighed.layers)
    for layer in weighed.layer:
        layer.ClearField("blobs")
    assert shown == weighed
    made: set[str] = set()
    unread: set[str] = set()
    for layer in shown.layer:
        assert layer.type in PORTABLE and [layer.name] == list(layer.top) and layer.name not in made
        assert set(layer.bottom) <= made
        made.add(layer.name)
        unread = (unread - set(layer.bottom)) | {layer.name}
    assert unread == set(outputs)


def check(net, folder, size_hw=SIZE_HW, mnn=True):
    """Compare the raw maps in both other programs with the network's."""
    pixels = random_image(*size_hw, seed=1)[None]
    maps = {
        f"raw_{level}": raw.asnumpy() for level, raw in enumerate(net(mx.nd.array(pixels, dtype="uint8")))
    }
    write_model(make_net(read_network(net), "toy", size_hw), folder, "toy")
    obeys_bvlc(folder, "toy", maps)
    found = [judges.by_opencv(folder, "toy", pixels)]
    found += [judges.by_mnn(folder, "toy", pixels, list(maps))] if mnn else []
    for given in found:
        assert set(given) == set(maps)
        for name, expected in maps.items():
            assert given[name].shape == expected.shape
            assert np.abs(given[name] - expected).max() <= 1e-4 * max(1, np.abs(expected).max())


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name != SMALLEST)) for name in ZOO]
)
def test_family(name, tmp_path):
    check(settled(name, CLASSES), tmp_path)


def test_small_network(tmp_path):
    check(random_detector(), tmp_path)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name != TRAINED[0])) for name in TRAINED]
)
def test_trained_darknet(name, tmp_path, shared_data):
    """With squeeze-and-excitation, spatial pyramid pooling and route groups."""
    check(trained(name, shared_data), tmp_path, (160, 128))


@pytest.mark.slow
def test_every_cfg(tmp_path, shared_data):
    for cfg in sorted((shared_data / "darknet" / "cfg").glob("*.cfg")):
        check(settled(str(cfg)), tmp_path)


def without_reader(monkeypatch):
    """Make OpenCV one that has no reader of Caffe's files, as OpenCV 5 has none."""
    monkeypatch.delattr(cv2.dnn, "readNetFromCaffe", raising=False)
    monkeypatch.setattr(cv2, "__version__", "5.0.0")


def test_no_reader(tmp_path, monkeypatch):
    without_reader(monkeypatch)
    assert not RUNTIMES["opencv"].installed
    with pytest.raises(
        UserError, match="format caffe: OpenCV 5.0.0 has no reader of Caffe's files, .* unverified"
    ):
        gluon_yolo.export(random_detector(), "caffe", tmp_path, size=64)
    assert not list(tmp_path.iterdir())
    done = gluon_yolo.export(random_detector(), "caffe", tmp_path, size=64, name="toy", unverified=True)
    assert "       not tried: OpenCV 5.0.0 has no reader of Caffe's files\n" in str(done)
    assert str(done).endswith("nothing that is installed here runs it")
    with pytest.raises(
        MissingDependency, match='OpenCV 5.0.0 has no reader .*: pip install "opencv-python<5"'
    ):
        done.predictor()
    monkeypatch.undo()
    if RUNTIMES["opencv"].installed:
        assert done.predictor().runtime == "opencv"


def test_landmarks(tmp_path):
    """A network that came from Caffe returns to it."""
    from gluon_yolo.weights import caffe_model

    files = caffe_network.write(tmp_path)
    net = caffe_model.load(*files, "small", "bgr", (100, 110, 120), (50, 60, 70))[0]
    side = caffe_network.SIDE
    pixels = random_image(side, side, seed=1)[None]
    (expected,) = (points.asnumpy() for points in net(mx.nd.array(pixels, dtype="uint8")))
    write_model(make_net(read_network(net), "toy", (side, side)), tmp_path, "toy")
    obeys_bvlc(tmp_path, "toy", ["landmarks"])
    for found in (
        judges.by_opencv(tmp_path, "toy", pixels),
        judges.by_mnn(tmp_path, "toy", pixels, ["landmarks"]),
    ):
        np.testing.assert_allclose(found["landmarks"].reshape(expected.shape), expected, rtol=1e-4, atol=1e-4)
