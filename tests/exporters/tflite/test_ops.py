"""Each operator in LiteRT's interpreter against NumPy, and which of TFLite's operators it becomes."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="package ai-edge-litert is not installed")

from gluon_yolo.errors import UserError  # noqa: E402
from gluon_yolo.exporters.ir.graph import Builder, InferenceGraph  # noqa: E402
from gluon_yolo.exporters.tflite.write import make_file  # noqa: E402
from tests.exporters import numpy_engine  # noqa: E402
from tests.exporters.tflite import litert  # noqa: E402
from tests.random_model import random_image  # noqa: E402

SIZE_HW = (10, 14)
FEW = {"stride": (1, 1), "padding": (0,) * 4, "dilation": (1, 1), "groups": 1}


def convolution(build, source, channels, outputs, kernel=(1, 1), bias=True, **attributes):
    numbers = {**FEW, **attributes}
    rng = np.random.default_rng(len(build.nodes))
    shape = (outputs, channels // numbers["groups"], *kernel)
    weights = [rng.normal(0, np.prod(shape[1:]) ** -0.5, shape), rng.normal(0, 0.5, outputs)][: 1 + bias]
    return build.add("convolution", source, weights=weights, **numbers)


def started():
    """Return a builder, and a map of 6 channels with numbers of both signs about one."""
    build = Builder()
    planes = build.add("planes", "data")
    scaled = build.add("affine", planes, weights=(np.full(3, 1 / 64), np.array([-1.9, -2.0, -2.2])))
    return build, convolution(build, scaled, 3, 6)


def judged(build, *outputs, batch=1):
    """Compare LiteRT's outputs with NumPy's; return the operators after those of ``started``."""
    graph = InferenceGraph(
        tuple(build.nodes),
        {name: np.float32(array) for name, array in build.weights.items()},
        {f"raw_{level}": name for level, name in enumerate(outputs)},
    )
    pixels = np.stack([random_image(*SIZE_HW, seed=seed) for seed in range(batch)])
    content = make_file(graph, (batch, *SIZE_HW))
    found, expected = litert.run(content, pixels), numpy_engine.run(graph, pixels)
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=2e-5, atol=2e-5)
    kinds = litert.kinds(content)
    assert kinds[:4] == ["DEQUANTIZE", "MUL", "ADD", "CONV_2D"]
    return kinds[4:]


@pytest.mark.parametrize(
    ("kernel", "attributes", "expected"),
    [
        ((1, 1), {}, ["CONV_2D"]),
        ((3, 3), {"padding": (1, 1, 1, 1)}, ["CONV_2D"]),  # SAME
        ((3, 3), {}, ["CONV_2D"]),  # VALID
        # With an even side SAME pads behind, and mxnet before.
        ((3, 3), {"padding": (1, 1, 1, 1), "stride": (2, 2)}, ["PAD", "CONV_2D"]),
        ((3, 5), {"padding": (1, 2, 1, 2), "stride": (1, 2)}, ["PAD", "CONV_2D"]),
        ((2, 2), {"padding": (0, 0, 1, 1)}, ["CONV_2D"]),  # SAME's odd one is behind
        ((2, 2), {"padding": (1, 1, 0, 0)}, ["PAD", "CONV_2D"]),
        ((3, 3), {"padding": (2, 2, 2, 2), "dilation": (2, 2)}, ["CONV_2D"]),
        ((3, 3), {"padding": (3, 0, 1, 2)}, ["PAD", "CONV_2D"]),
        ((3, 3), {"padding": (0, 0, 1, 1), "stride": (3, 3)}, ["PAD", "CONV_2D"]),
        ((1, 1), {"stride": (2, 2)}, ["CONV_2D"]),
        ((3, 3), {"padding": (1, 1, 1, 1), "groups": 2}, ["CONV_2D"]),
        ((3, 3), {"padding": (1, 1, 1, 1), "groups": 6}, ["DEPTHWISE_CONV_2D"]),
        ((3, 3), {"padding": (1, 1, 1, 1), "groups": 6, "stride": (2, 2)}, ["PAD", "DEPTHWISE_CONV_2D"]),
        ((3, 3), {"padding": (2, 2, 2, 2), "groups": 6, "dilation": (2, 2)}, ["DEPTHWISE_CONV_2D"]),
    ],
)
@pytest.mark.parametrize("bias", [True, False])
def test_convolution(kernel, attributes, expected, bias):
    build, first = started()
    made = convolution(
        build, first, 6, 12, kernel, bias, **attributes
    )  # two outputs for each depthwise input
    assert judged(build, made) == expected


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "expected"),
    [
        ((2, 2), (2, 2), (0, 0, 0, 0), ["MAX_POOL_2D"]),
        ((2, 2), (1, 1), (0, 0, 1, 1), ["MAX_POOL_2D"]),  # darknet's with stride 1
        ((5, 5), (1, 1), (2, 2, 2, 2), ["MAX_POOL_2D"]),  # as in an SPP
        ((9, 9), (1, 1), (4, 4, 4, 4), ["MAX_POOL_2D"]),
        ((3, 3), (2, 2), (1, 1, 1, 1), ["PADV2", "MAX_POOL_2D"]),
        ((3, 2), (2, 3), (1, 0, 1, 1), ["PADV2", "MAX_POOL_2D"]),
    ],
)
def test_max_pool(kernel, stride, padding, expected):
    """What is padded never is the maximum, also where all numbers are negative."""
    build, first = started()
    low = build.add("affine", first, weights=(np.array([1.0]), np.array([-50.0])))
    made = build.add("max_pool", low, kernel=kernel, stride=stride, padding=padding)
    assert judged(build, made, build.add("relu", first)) == ["ADD", *expected, "RELU"]


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "expected"),
    [
        ((2, 2), (2, 2), (0, 0, 0, 0), ["AVERAGE_POOL_2D"]),
        ((3, 3), (1, 1), (1, 1, 1, 1), ["PAD", "AVERAGE_POOL_2D"]),  # SAME would not count the zeros
        ((3, 2), (2, 3), (1, 0, 1, 1), ["PAD", "AVERAGE_POOL_2D"]),
    ],
)
def test_average_pool(kernel, stride, padding, expected):
    build, first = started()
    assert (
        judged(build, build.add("average_pool", first, kernel=kernel, stride=stride, padding=padding))
        == expected
    )


@pytest.mark.parametrize("slopes", [np.linspace(-1, 1, 6), np.array([0.25])], ids=["each", "shared"])
def test_prelu(slopes):
    build, first = started()
    assert judged(build, build.add("prelu", first, weights=(slopes,))) == ["PRELU"]


@pytest.mark.parametrize(
    ("op", "attributes", "expected"),
    [
        ("relu", {}, ["RELU"]),
        ("leaky_relu", {"slope": 0.1}, ["LEAKY_RELU"]),
        ("elu", {"alpha": 1.0}, ["ELU"]),
        ("elu", {"alpha": 0.5}, ["MINIMUM", "ELU", "MUL", "RELU", "ADD"]),
        ("clip", {"min": 0.0, "max": 6.0}, ["RELU6"]),
        ("clip", {"min": -0.5, "max": 0.25}, ["MAXIMUM", "MINIMUM"]),
        ("sigmoid", {}, ["LOGISTIC"]),
        ("tanh", {}, ["TANH"]),
        ("softplus", {}, ["ABS", "NEG", "EXP", "ADD", "LOG", "RELU", "ADD"]),
        ("exp", {}, ["EXP"]),
        ("softmax", {"axis": 1}, ["SOFTMAX"]),  # the channels lie last
        ("global_average_pool", {}, ["MEAN"]),
        ("upsample", {"factor": 2}, ["RESIZE_NEAREST_NEIGHBOR"]),
        ("upsample", {"factor": 3}, ["RESIZE_NEAREST_NEIGHBOR"]),
        ("slice", {"axis": 1, "begin": 2, "end": 5, "step": 1}, ["STRIDED_SLICE"]),
        ("slice", {"axis": 1, "begin": 1, "end": 6, "step": 2}, ["CONV_2D"]),  # of ones and zeros
        ("slice", {"axis": 3, "begin": 1, "end": 14, "step": 3}, ["STRIDED_SLICE"]),
    ],
)
def test_operator(op, attributes, expected):
    """The map is read twice, so that no activation becomes part of the convolution."""
    build, first = started()
    assert judged(build, build.add(op, first, **attributes), first, batch=2) == expected


def test_numbers_that_overflow():
    """The exponentials within softplus and Mish do not overflow."""
    build, first = started()
    large = build.add("affine", first, weights=(np.array([100.0]), np.array([0.0])))
    plus = build.add("softplus", large)
    mish = build.add("multiply", large, build.add("tanh", build.add("softplus", large)))
    judged(build, plus, mish)


def test_mish():
    build, first = started()
    mish = build.add("multiply", first, build.add("tanh", build.add("softplus", first)))
    assert judged(build, mish) == ["MINIMUM", "EXP", "ADD", "MUL", "ADD", "DIV", "MUL"]


def test_softplus_that_is_read_elsewhere():
    build, first = started()
    plus = build.add("softplus", first)
    kinds = judged(build, build.add("tanh", plus), plus)
    assert kinds == ["ABS", "NEG", "EXP", "ADD", "LOG", "RELU", "ADD", "TANH"]


@pytest.mark.parametrize(
    ("op", "attributes", "fused"),
    [
        ("relu", {}, 1),
        ("clip", {"min": 0.0, "max": 6.0}, 3),
    ],
)
def test_activation_within_a_convolution(op, attributes, fused):
    build, first = started()
    made = build.add(op, convolution(build, first, 6, 4), **attributes)
    assert judged(build, made) == ["CONV_2D"]
    graph = InferenceGraph(
        tuple(build.nodes), {n: np.float32(a) for n, a in build.weights.items()}, {"o": made}
    )
    last = litert.opened(make_file(graph, (1, *SIZE_HW))).subgraphs[0].operators[-1]
    assert last.builtinOptions.fusedActivationFunction == fused


@pytest.mark.parametrize("op", ["add", "subtract", "multiply"])
def test_of_two(op):
    """Also of a map and one of 1x1, as in squeeze-excite."""
    build, first = started()
    other = convolution(build, first, 6, 6)
    means = build.add("global_average_pool", other)
    judged(build, build.add(op, first, other), build.add(op, first, means))


@pytest.mark.parametrize("shape", [(1, 6, 1, 1), (1, 1, 1, 1), (1, 6, *SIZE_HW)])
def test_of_a_constant(shape):
    build, first = started()
    term = np.random.default_rng(1).normal(size=shape)
    judged(build, build.add("add", first, weights=(term,)), build.add("multiply", first, weights=(term,)))


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_concat(axis):
    build, first = started()
    assert judged(build, build.add("concat", first, convolution(build, first, 6, 6), axis=axis)) == [
        "CONV_2D",
        "CONCATENATION",
    ]


def test_reshape():
    """Numbers keep the order that the graph has them in; that takes a transposition of the map."""
    build, first = started()
    rows = build.add("reshape", first, shape=(0, 2, 3, -1))
    turned = build.add("transpose", rows, axes=(0, 3, 1, 2))
    parts = build.add("slice", build.add("softmax", turned, axis=2), axis=2, begin=1, end=2, step=1)
    kinds = judged(build, build.add("reshape", parts, shape=(0, -1, 3)), batch=2)
    assert kinds == [
        *("TRANSPOSE", "RESHAPE", "TRANSPOSE", "TRANSPOSE", "SOFTMAX", "TRANSPOSE", "STRIDED_SLICE"),
        "RESHAPE",
    ]


def test_unknown_step(monkeypatch):
    from gluon_yolo.exporters.tflite import ops

    monkeypatch.setattr(ops, "_WRITERS", {name: ops._WRITERS[name] for name in ("affine",)})
    build, first = started()
    with pytest.raises(UserError, match="operator tanh .tanh0. cannot be written for TFLite: TFLite has no"):
        judged(build, build.add("tanh", first))
