"""Int8 TFLite files: their content, and their difference from the float network."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="package ai-edge-litert is not installed")

from gluon_yolo.errors import UserError  # noqa: E402
from gluon_yolo.exporters.ir.graph import Builder, InferenceGraph  # noqa: E402
from gluon_yolo.exporters.ir.read_symbol import read_network  # noqa: E402
from gluon_yolo.exporters.onnx.int8_layers import layers as layers_of  # noqa: E402
from gluon_yolo.exporters.quantize.backends import TfliteInt8  # noqa: E402
from gluon_yolo.exporters.quantize.sensitivity import disagreement  # noqa: E402
from gluon_yolo.exporters.request import Request  # noqa: E402
from gluon_yolo.exporters.tflite import int8  # noqa: E402
from gluon_yolo.exporters.tflite.write import make_file  # noqa: E402
from gluon_yolo.inference.runtimes.mxnet import from_block  # noqa: E402
from tests.exporters import numpy_engine  # noqa: E402
from tests.exporters.tflite import litert  # noqa: E402
from tests.random_model import random_detector, random_image  # noqa: E402

SIZE_HW = (64, 96)
IMAGES = np.stack([random_image(*SIZE_HW, seed) for seed in range(4)])


@pytest.fixture(scope="module")
def net():
    return random_detector()


@pytest.fixture(scope="module")
def backend(net):
    return TfliteInt8(Request(net, "toy", SIZE_HW))


@pytest.fixture(scope="module")
def ranges(backend):
    return backend.calibrate([IMAGES[:3], IMAGES[3:]], "minmax", lambda *progress: None)


@pytest.mark.parametrize(
    ("sides", "step", "zero"),
    [
        ((0.0, 255.0), 1.0, -128),
        ((-1.0, 1.5), 2.5 / 255, -26),
        ((2.0, 4.0), 4 / 255, -128),  # zero always has a number
        ((-4.0, -2.0), 4 / 255, 127),
        ((0.0, 0.0), 1e-30 / 255, -128),
    ],
)
def test_scale(sides, step, zero):
    scale = int8.scale_of(*sides)
    assert scale.zero == zero and scale.steps == (pytest.approx(step, rel=1e-6),)


def test_near_the_network_in_float(net, backend, ranges):
    float32 = from_block(net)(IMAGES)
    found = backend.network(ranges, ())(IMAGES)
    assert 0 < disagreement(float32, found) < 0.15
    narrow = {name: (low / 8, high / 8) for name, (low, high) in ranges.items()}
    clipped = backend.network(narrow, ())(IMAGES)
    assert disagreement(float32, clipped) > 3 * disagreement(float32, found)


def kernels(content):
    """Return, by the name of a convolution, whether its kernel is int8."""
    graph = litert.opened(content).subgraphs[0]
    steps = [step.inputs for step, kind in zip(graph.operators, litert.kinds(content)) if "CONV_2D" in kind]
    return {
        graph.tensors[bias].name.decode()[: -len("_bias")]: graph.tensors[kernel].type
        == litert.schema.TensorType.INT8
        for _, kernel, bias in steps
    }


def test_which_layers_are_in_int8(net, backend, ranges, tmp_path):
    layers = backend.layers
    assert layers == layers_of(read_network(net)) and len(layers) > 20
    made = backend.write(ranges, layers[3:5], tmp_path)
    assert (made.files, made.cut, made.fixed, made.portable) == (
        ("toy.tflite",),
        "decoded",
        (1, *SIZE_HW),
        True,
    )
    assert made.outputs == ("boxes", "scores")
    held = kernels((tmp_path / "toy.tflite").read_bytes())
    assert {name for name, quantized in held.items() if quantized} == {*layers[:3], *layers[5:]}
    assert len(held) == len(layers) + 3  # the heads


def test_all_layers_in_float_is_the_float_network(net, backend, ranges):
    found = backend.network(ranges, backend.layers)(IMAGES)
    np.testing.assert_allclose(found[1], from_block(net)(IMAGES)[1], atol=1e-5)


def test_unknown_layer(backend, ranges):
    with pytest.raises(UserError, match="excluded layer 'nowhere': the network has none of that name"):
        backend.network(ranges, ["nowhere"])


def graph_of(build, made):
    weights = {name: np.float32(array) for name, array in build.weights.items()}
    return InferenceGraph(tuple(build.nodes), weights, {"raw_0": made})


def convolution(build, source, channels, outputs, side=1, groups=1, stride=1):
    rng = np.random.default_rng(len(build.nodes))
    shape = (outputs, channels // groups, side, side)
    scale = np.prod(shape[1:]) ** -0.5 * (1 / 128 if source.startswith("planes") else 1)
    return build.add(
        "convolution",
        source,
        weights=(rng.normal(0, scale, shape), rng.normal(0, 0.3, outputs)),
        stride=(stride, stride),
        padding=(side // 2,) * 4,
        dilation=(1, 1),
        groups=groups,
    )


def two(build, x):
    return build.add("add", convolution(build, x, 8, 8), x)


def beside(build, x):
    wide = build.add("affine", convolution(build, x, 8, 8), weights=(np.array([3.0]), np.array([0.0])))
    return build.add("concat", build.add("relu", wide), x, axis=1)


MIDDLES = {
    "relu": (lambda b, x: b.add("relu", convolution(b, x, 8, 8)), 8, ["CONV_2D"]),
    "relu6": (lambda b, x: b.add("clip", convolution(b, x, 8, 8), min=0.0, max=6.0), 8, ["CONV_2D"]),
    "leaky": (lambda b, x: b.add("leaky_relu", x, slope=0.1), 8, ["LEAKY_RELU"]),
    "depthwise": (lambda b, x: convolution(b, x, 8, 8, 3, 8), 8, ["DEPTHWISE_CONV_2D"]),
    "stride": (lambda b, x: convolution(b, x, 8, 8, 3, 1, 2), 8, ["PAD", "CONV_2D"]),
    "groups": (lambda b, x: convolution(b, x, 8, 8, 3, 2), 8, ["CONV_2D"]),
    "add": (two, 8, ["CONV_2D", "ADD"]),
    "concat": (lambda b, x: b.add("concat", convolution(b, x, 8, 8), x, axis=1), 16, None),
    "upsample": (lambda b, x: b.add("upsample", x, factor=2), 8, ["RESIZE_NEAREST_NEIGHBOR"]),
    "pool": (lambda b, x: b.add("max_pool", x, kernel=(3, 3), stride=(2, 2), padding=(1,) * 4), 8, None),
    "same pool": (
        lambda b, x: b.add("max_pool", x, kernel=(5, 5), stride=(1, 1), padding=(2,) * 4),
        8,
        ["MAX_POOL_2D"],
    ),
    "slice": (lambda b, x: b.add("slice", x, axis=1, begin=1, end=5, step=1), 4, ["STRIDED_SLICE"]),
    "every other": (lambda b, x: b.add("slice", x, axis=1, begin=1, end=8, step=2), 4, ["CONV_2D"]),
    # These have no int8 here, and compute in float between two that have.
    "sigmoid": (lambda b, x: b.add("sigmoid", x), 8, ["DEQUANTIZE", "LOGISTIC", "QUANTIZE"]),
    "other clip": (
        lambda b, x: b.add("clip", x, min=-1.0, max=0.5),
        8,
        ["DEQUANTIZE", "MAXIMUM", "MINIMUM", "QUANTIZE"],
    ),
    "several scales": (beside, 16, None),
}


@pytest.mark.parametrize("name", MIDDLES)
def test_operator(name):
    """Between two convolutions; the first one reads the pixels exactly, the last one is in float."""
    middle, channels, expected = MIDDLES[name]
    build = Builder()
    first = convolution(build, build.add("planes", "data"), 3, 8, 3)
    last = convolution(build, convolution(build, middle(build, first), channels, 4), 4, 4)
    graph = graph_of(build, last)
    ranges = int8.calibrate(graph, SIZE_HW, [IMAGES])
    content = make_file(graph, (1, *SIZE_HW), int8=int8.quantization(graph, ranges))
    kinds = litert.kinds(content)
    assert kinds[:2] == ["QUANTIZE", "CONV_2D"] and kinds[-3:] == ["CONV_2D", "DEQUANTIZE", "CONV_2D"]
    assert expected is None or kinds[2:-3] == expected
    for image in IMAGES[:2]:
        ours = litert.run(content, image[None])["raw_0"]
        theirs = numpy_engine.run(graph, image[None])["raw_0"]
        assert 0 < np.abs(ours - theirs).max() < 0.06 * np.abs(theirs).max()


def test_pixels_are_read_exactly():
    """255 steps of one, whatever the calibration saw."""
    build = Builder()
    first = convolution(build, build.add("planes", "data"), 3, 8, 3)
    graph = graph_of(build, convolution(build, first, 8, 4))
    plan = int8.quantization(graph, int8.calibrate(graph, SIZE_HW, [IMAGES // 2]))
    tensors = litert.opened(make_file(graph, (1, *SIZE_HW), int8=plan)).subgraphs[0].tensors
    given, exact = (tensor.quantization for tensor in tensors[:2])
    assert (given.scale.tolist(), given.zeroPoint.tolist()) == ([1.0], [0])
    assert (exact.scale.tolist(), exact.zeroPoint.tolist()) == ([1.0], [-128])


def test_channels_are_selected_exactly():
    """By a convolution in int8 with the scale of its input."""
    build = Builder()
    first = convolution(build, build.add("planes", "data"), 3, 8, 3)
    some = build.add("slice", first, axis=1, begin=1, end=8, step=2)
    last = build.add("concat", some, first, axis=1)
    graph = graph_of(build, convolution(build, last, 12, 2))
    plan = int8.quantization(graph, int8.calibrate(graph, SIZE_HW, [IMAGES]))
    same = dataclasses.replace(plan, scales={**plan.scales, last: plan.scales[first]})
    seen = dataclasses.replace(graph, outputs={"raw_0": last})
    found = litert.run(make_file(seen, (1, *SIZE_HW), int8=same), IMAGES[:1])["raw_0"]
    np.testing.assert_array_equal(found[:, :4], found[:, 4:][:, 1::2])
    assert len(np.unique(found)) > 100


def test_a_channel_of_tiny_weights_keeps_its_bias():
    """Its bias would be beyond int32 with the scale that suits its weights."""
    build = Builder()
    first = convolution(build, build.add("planes", "data"), 3, 8, 3)
    last = convolution(build, first, 8, 4)
    weight, bias = next(node.inputs[1:] for node in build.nodes if node.name == first)
    build.weights[weight][0] = 1e-20
    build.weights[bias][0] = 1.0
    graph = graph_of(build, last)
    content = make_file(
        graph, (1, *SIZE_HW), int8=int8.quantization(graph, int8.calibrate(graph, SIZE_HW, [IMAGES]))
    )
    ours, theirs = litert.run(content, IMAGES[:1]), numpy_engine.run(graph, IMAGES[:1])
    assert np.abs(ours["raw_0"] - theirs["raw_0"]).max() < 0.06 * np.abs(theirs["raw_0"]).max()
