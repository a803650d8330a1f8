"""Each operator as Caffe's layers, in OpenCV and in MNN, against NumPy; and what has no layer there."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("google.protobuf", reason="protobuf is not installed")

from gluon_yolo.errors import UserError  # noqa: E402
from gluon_yolo.exporters.caffe.file import make_net, write_model  # noqa: E402
from gluon_yolo.exporters.ir.graph import Builder, InferenceGraph  # noqa: E402
from tests.exporters import numpy_engine  # noqa: E402
from tests.exporters.caffe import judges  # noqa: E402
from tests.random_model import random_image  # noqa: E402

SIZE_HW = (12, 20)
FEW = {"stride": (1, 1), "padding": (0,) * 4, "dilation": (1, 1), "groups": 1}


def convolution(build, source, channels=6, outputs=6, kernel=(1, 1), bias=True, **attributes):
    numbers = {**FEW, **attributes}
    rng = np.random.default_rng(len(build.nodes))
    shape = (outputs, channels // numbers["groups"], *kernel)
    weights = [rng.normal(0, np.prod(shape[1:]) ** -0.5, shape), rng.normal(0, 0.5, outputs)][: 1 + bias]
    return build.add("convolution", source, weights=weights, **numbers)


def pool(op, build, x, kernel, stride, padding):
    return build.add(op, x, kernel=kernel, stride=stride, padding=padding)


def of_a_point(build, x):
    """A map of 1x1: the mean, so that it is stretched over the map again."""
    return build.add("global_average_pool", x)


def mish(build, x):
    return build.add("multiply", x, build.add("tanh", build.add("softplus", x)))


def conv(kernel, **attributes):
    return lambda build, x: convolution(build, x, kernel=kernel, **attributes)


def max_pool(*sides):
    return lambda build, x: pool("max_pool", build, x, *sides)


def one(op, **attributes):
    return lambda build, x: build.add(op, x, **attributes)


def picked(begin, end, step):
    return one("slice", axis=1, begin=begin, end=end, step=step)


C, D = "Convolution", "Deconvolution"
# By name: what makes the step from a map of 6 channels, and the kinds of its layers.
CASES = {
    "1x1": (conv((1, 1)), [C]),
    "without bias": (conv((1, 1), bias=False), [C]),
    "3x5 with unequal stride and padding": (
        conv((3, 5), padding=(1, 2, 1, 2), stride=(1, 2)),
        [C],
    ),
    "groups": (conv((3, 3), padding=(1, 1, 1, 1), groups=2), [C]),
    "depthwise": (conv((3, 3), padding=(1, 1, 1, 1), groups=6, stride=(2, 2)), [C]),
    "dilation": (conv((3, 3), padding=(2, 2, 2, 2), dilation=(2, 2)), [C]),
    "affine": (
        lambda build, x: build.add("affine", x, weights=(np.linspace(-1, 2, 6), np.linspace(3, -2, 6))),
        ["Scale"],
    ),
    "affine of one number": (
        lambda build, x: build.add("affine", x, weights=(np.array([0.5]), np.array([2.0]))),
        ["Scale"],
    ),
    "relu": (one("relu"), ["ReLU"]),
    "leaky relu": (one("leaky_relu", slope=0.1), ["ReLU"]),
    "prelu": (lambda build, x: build.add("prelu", x, weights=(np.linspace(-0.5, 0.5, 6),)), ["PReLU"]),
    "prelu of one slope": (lambda build, x: build.add("prelu", x, weights=(np.array([0.3]),)), ["PReLU"]),
    "elu": (one("elu", alpha=0.7), ["ELU"]),
    "relu6": (one("clip", min=0.0, max=6.0), ["ReLU", "Power", "ReLU", "Power"]),
    "clip": (one("clip", min=-0.5, max=0.75), ["Power", "ReLU", "Power"] * 2),
    "clip below alone": (one("clip", min=0.25, max=float("inf")), ["Power", "ReLU", "Power"]),
    "clip above alone": (one("clip", min=float("-inf"), max=0.5), ["Power", "ReLU", "Power"]),
    "sigmoid": (one("sigmoid"), ["Sigmoid"]),
    "tanh": (one("tanh"), ["TanH"]),
    "swish": (lambda build, x: build.add("multiply", x, build.add("sigmoid", x)), ["Sigmoid", "Eltwise"]),
    "mish": (mish, ["Power", "Sigmoid", "Power", "Power", "Power", "Eltwise"]),
    "max pool 2 stride 2": (max_pool((2, 2), (2, 2), (0,) * 4), ["Pooling"]),
    "max pool 2 stride 1, padded behind": (max_pool((2, 2), (1, 1), (0, 0, 1, 1)), ["Pooling", "Crop"]),
    # Caffe rounds up, and has a window more: a convolution leaves it out.
    "max pool 3 stride 2, padded": (max_pool((3, 3), (2, 2), (1,) * 4), ["Pooling", C]),
    "max pool 3 stride 2, padded behind": (max_pool((3, 3), (2, 2), (0, 0, 1, 1)), ["Pooling"]),
    # Its windows would begin within Caffe's only with a stride of 1.
    "max pool 2 stride 3, padded above": (max_pool((2, 2), (3, 3), (1, 1, 0, 0)), ["Pooling", C]),
    "max pool 5 stride 1": (max_pool((5, 5), (1, 1), (2,) * 4), ["Pooling"]),
    "max pool 3x2": (max_pool((3, 2), (2, 1), (1, 0, 0, 1)), ["Pooling", C]),
    "average pool": (lambda build, x: pool("average_pool", build, x, (3, 2), (2, 1), (1, 0, 1, 0)), [C]),
    "upsample": (one("upsample", factor=2), [D]),
    "upsample by 3": (one("upsample", factor=3), [D]),
    "add": (lambda build, x: build.add("add", x, conv((1, 1))(build, x)), [C, "Eltwise"]),
    "subtract": (lambda build, x: build.add("subtract", x, conv((1, 1))(build, x)), [C, "Eltwise"]),
    "squeeze and excite": (
        lambda build, x: build.add("multiply", x, build.add("sigmoid", of_a_point(build, x))),
        ["Pooling", "Sigmoid", D, "Eltwise"],
    ),
    "a factor of one channel": (
        lambda build, x: build.add("multiply", convolution(build, x, outputs=1), x),
        [C, C, "Eltwise"],
    ),
    "one number for all": (
        lambda build, x: build.add("subtract", x, of_a_point(build, convolution(build, x, outputs=1))),
        [C, "Pooling", C, D, "Eltwise"],
    ),
    "concat": (
        lambda build, x: build.add("concat", x, convolution(build, x, outputs=3), x, axis=1),
        [C, "Concat"],
    ),
    "channels from 2 to 5": (picked(2, 5, 1), [C]),
    "every other channel": (picked(1, 6, 2), [C]),
    "flatten": (
        lambda build, x: build.add("reshape", of_a_point(build, x), shape=(0, -1)),
        ["Pooling", "Flatten"],
    ),
}


def started():
    """Return a builder, and a map of 6 channels with numbers of both signs about one."""
    build = Builder()
    planes = build.add("planes", "data")
    scaled = build.add("affine", planes, weights=(np.full(3, 1 / 64), np.array([-1.9, -2.0, -2.2])))
    return build, convolution(build, scaled, 3)


def graph_of(build, outputs):
    return InferenceGraph(
        tuple(build.nodes),
        {name: np.float32(array) for name, array in build.weights.items()},
        outputs,
    )


def written(graph, folder, batch=1):
    net = make_net(graph, "toy", SIZE_HW, batch)
    write_model(net, folder, "toy")
    return net


@pytest.mark.parametrize("case", CASES)
def test_operator(case, tmp_path):
    make, kinds = CASES[case]
    build, x = started()
    graph = graph_of(build, {"raw_0": make(build, x)})
    pixels = np.stack([random_image(*SIZE_HW, seed=seed) for seed in range(2)])
    net = written(graph, tmp_path, batch=2)
    assert [layer.type for layer in net.layer][:3] == ["Input", "Scale", C]
    assert [layer.type for layer in net.layer][3:] == kinds
    found, expected = judges.by_opencv(tmp_path, "toy", pixels), numpy_engine.run(graph, pixels)
    np.testing.assert_allclose(found["raw_0"], expected["raw_0"], rtol=2e-5, atol=2e-5)


def test_every_operator_in_mnn(tmp_path):
    """All of them in one network, since its converter takes a process."""
    build, x = started()
    graph = graph_of(build, {case: make(build, x) for case, (make, _) in CASES.items()})
    graph = graph_of(build, {f"raw_{place}": node for place, node in enumerate(graph.outputs.values())})
    pixels = random_image(*SIZE_HW, seed=1)[None]
    written(graph, tmp_path)
    found = judges.by_mnn(tmp_path, "toy", pixels, list(graph.outputs))
    for case, (name, array) in zip(CASES, numpy_engine.run(graph, pixels).items()):
        given = found[name].reshape(array.shape)  # its Flatten keeps axes of 1
        np.testing.assert_allclose(given, array, rtol=2e-5, atol=2e-5, err_msg=case)


def test_large_numbers(tmp_path):
    """ReLU(x) - ReLU(x - 6) would lose the digits of 6 here; Mish's exponentials would overflow."""
    build, x = started()
    x = build.add("affine", x, weights=(np.array([1e6]), np.array([0.0])))
    outputs = {"raw_0": build.add("clip", x, min=0.0, max=6.0), "raw_1": mish(build, x)}
    graph, pixels = graph_of(build, outputs), random_image(*SIZE_HW, seed=1)[None]
    written(graph, tmp_path)
    found = judges.by_opencv(tmp_path, "toy", pixels)
    assert set(np.unique(found["raw_0"])) == {0.0, 6.0}
    given = np.maximum(numpy_engine.run(graph_of(build, {"raw_0": x}), pixels)["raw_0"], 0)
    np.testing.assert_allclose(found["raw_1"], given, rtol=1e-5, atol=0.1)


def test_outputs_that_are_read(tmp_path):
    """One that a layer reads, and one that is two outputs: Caffe's outputs are blobs that no layer reads."""
    build, x = started()
    last = build.add("tanh", x)
    graph = graph_of(build, {"raw_0": x, "raw_1": last, "raw_2": last})
    net = written(graph, tmp_path)
    assert [(layer.type, *layer.bottom, *layer.top) for layer in net.layer][3:] == [
        ("TanH", "convolution0", "tanh0"),
        ("Power", "convolution0", "raw_0"),
        ("Power", "tanh0", "raw_1"),
        ("Power", "tanh0", "raw_2"),
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (one("exp"), r"operator exp \(exp0\) cannot be written for Caffe: Caffe has no layer for it; export"),
        (
            one("softplus"),
            r"operator softplus \(softplus0\) .* only tanh\(softplus\(x\)\), which is a part of",
        ),
        (one("softmax", axis=1), "operator softmax .*; export the network with format onnx or symbol"),
        (conv((2, 2), padding=(0, 0, 1, 1)), "convolution .* padding 0, 0, 1, 1: Caffe pads opposite sides"),
        (one("slice", axis=2, begin=0, end=1, step=1), "operator slice .* axis=2"),
        (one("reshape", shape=(0, 2, 3, -1)), r"operator reshape .* shape=\(0, 2, 3, -1\)"),
        (max_pool((2, 2), (1, 1), (2, 2, 0, 0)), "windows of 2 with padding 2 and 0; Caffe's is less than"),
    ],
)
def test_what_caffe_has_no_word_for(make, message):
    build, x = started()
    graph = graph_of(build, {"raw_0": make(build, x)})
    with pytest.raises(UserError, match=message):
        make_net(graph, "toy", SIZE_HW)


def test_softplus_that_others_read_too():
    build, x = started()
    soft = build.add("softplus", x)
    graph = graph_of(build, {"raw_0": build.add("add", soft, build.add("tanh", soft))})
    with pytest.raises(UserError, match="operator softplus"):
        make_net(graph, "toy", SIZE_HW)
