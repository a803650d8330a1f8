"""A landmark network's exports: each kind of Caffe's layers in each format, and other precisions."""

from __future__ import annotations

import numpy as np
import pytest

import gluon_yolo
from gluon_yolo.exporters.ir.read_symbol import read_network
from gluon_yolo.exporters.verify import BOUNDS, WrongResults
from gluon_yolo.exporters.verify_points import PointReference
from gluon_yolo.inference.face_landmarks import FaceLandmarks
from gluon_yolo.inference.runtimes.registry import RUNTIMES
from gluon_yolo.mxnet_compat import mx
from tests import caffe_network
from tests.exporters import numpy_engine
from tests.inference.test_without_mxnet import OTHERS
from tests.landmark106 import FORMATS, RUNTIMES_HERE
from tests.random_model import random_image

pytest.importorskip("google.protobuf", reason="protobuf is not installed")

from gluon_yolo.weights import caffe_model  # noqa: E402

SIDE = caffe_network.SIDE


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    files = caffe_network.write(tmp_path_factory.mktemp("caffe"))
    return caffe_model.load(*files, "small", "bgr", (100, 110, 120), (50, 60, 70))[0]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.stack([random_image(SIDE, SIDE, seed) for seed in range(3)])


@pytest.fixture(scope="module")
def expected(net, images) -> np.ndarray:
    return net(mx.nd.array(images, dtype="uint8"))[0].asnumpy()


def test_the_graph_is_folded_and_gives_the_same(net, images, expected):
    graph = read_network(net)
    given = numpy_engine.run(graph, images)
    assert list(given) == ["landmarks"]
    np.testing.assert_allclose(given["landmarks"], expected, atol=1e-5)
    kinds = [node.op for node in graph.nodes]
    # Both batch norms and both scales are folded into what is before them.
    assert kinds.count("convolution") == 6 and kinds.count("prelu") == 2 and kinds.count("average_pool") == 1


@pytest.mark.parametrize("runtime", FORMATS)
def test_every_format(net, images, expected, runtime, tmp_path):
    if runtime not in RUNTIMES_HERE:
        pytest.skip(f"{RUNTIMES[runtime].package} is not installed, or does not load")
    done = gluon_yolo.export(net, FORMATS[runtime], tmp_path)
    assert str(done).startswith("small, 4 face landmarks, input 17x17\n")
    assert "bound 1e-04" in str(done) and "demo --model FACES --landmarks" in str(done)
    landmarks = FaceLandmarks.load(tmp_path, runtime=runtime)
    np.testing.assert_allclose(landmarks.raw(images), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("runtime", "precision"), (("ncnn", "float16"), ("openvino", "float16"), ("mnn", "float16"))
)
def test_other_precisions(net, images, expected, runtime, precision, tmp_path):
    if runtime not in OTHERS:
        pytest.skip(f"{RUNTIMES[runtime].package} is not installed, or does not load")
    gluon_yolo.export(net, FORMATS[runtime], tmp_path, precision=precision)
    given = FaceLandmarks.load(tmp_path, runtime=runtime).raw(images)
    assert 0 < np.abs(given - expected).max() < 0.01


def test_a_difference_ends_the_export(net, images, expected):
    reference = PointReference(net, [images])
    assert reference.compare(lambda pixels: [expected]).holds
    with pytest.raises(
        WrongResults, match=r"points 2.0e-04 of the crop \(bound 1e-04\); nothing was written"
    ):
        reference.demand(lambda pixels: [expected + np.float32(2e-4)], "small.onnx")
    assert reference.compare(lambda pixels: [expected + np.float32(2e-4)], BOUNDS["float16"]).holds
    assert not reference.compare(lambda pixels: [expected * np.nan]).holds
