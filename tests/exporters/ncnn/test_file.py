"""ncnn's files against its documentation, and messages about unsupported layers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.exporters.ir.decode import with_decoding
from gluon_yolo.exporters.ir.graph import Builder, InferenceGraph
from gluon_yolo.exporters.ir.read_symbol import read_network
from gluon_yolo.exporters.ncnn.file import make_layers, write_model
from gluon_yolo.exporters.ncnn.layers import param_text
from tests.child import python
from tests.exporters.networks import settled
from tests.random_model import CLASSES, random_detector


def convolution(build, source, channels, outputs, kernel=(1, 1), groups=1, **attributes):
    """Add a convolution whose weights are 0, 1, 2, ..., and its biases 0.5."""
    numbers = {"stride": (1, 1), "padding": (0,) * 4, "dilation": (1, 1), "groups": groups, **attributes}
    shape = (outputs, channels // groups, *kernel)
    weights = (np.arange(np.prod(shape), dtype=float).reshape(shape), np.full(outputs, 0.5))
    return build.add("convolution", source, weights=weights, **numbers)


def graph_of(build, *outputs):
    return InferenceGraph(
        tuple(build.nodes),
        {name: np.float32(array) for name, array in build.weights.items()},
        {f"raw_{level}": name for level, name in enumerate(outputs)},
    )


def lines_of(build, *outputs):
    """Return the lines of NAME.param after the counts, with single spaces."""
    text = param_text(make_layers(graph_of(build, *outputs)))
    return [" ".join(line.split()) for line in text.splitlines()[2:]]


def started():
    build = Builder()
    return build, build.add("planes", "data")


def test_param_file():
    """All parameters of the convolution differ; in ncnn horizontal precedes vertical, and left top."""
    build, planes = started()
    uneven = {"stride": (2, 1), "padding": (3, 4, 5, 6), "dilation": (7, 8)}
    first = build.add("leaky_relu", convolution(build, planes, 3, 6, (2, 5), **uneven), slope=0.1)
    wide = build.add("clip", convolution(build, first, 6, 12, groups=6), min=0.0, max=6.0)
    pool = build.add("max_pool", wide, kernel=(2, 3), stride=(4, 5), padding=(6, 7, 8, 9))
    scaled = build.add("affine", pool, weights=(np.array([2.0]), np.arange(12.0)))
    text = param_text(make_layers(graph_of(build, convolution(build, scaled, 12, 2))))
    assert [" ".join(line.split()) for line in text.splitlines()] == [
        "7767517",
        "6 6",
        "Input data 0 1 data",
        "Convolution convolution0 1 1 data convolution0 0=6 1=5 2=8 3=1 4=4 5=1 6=180 9=2 "
        "-23310=1,1.00000000e-01 11=2 12=7 13=2 14=3 15=6 16=5",
        "ConvolutionDepthWise convolution1 1 1 convolution0 convolution1 0=12 1=1 2=1 3=1 4=0 5=1 6=12 7=6 "
        "9=3 -23310=2,0.00000000e+00,6.00000000e+00 11=1 12=1 13=1 14=0 15=0 16=0",
        "Pooling max_pool0 1 1 convolution1 max_pool0 0=0 1=3 2=5 3=7 5=1 11=2 12=4 13=6 14=9 15=8",
        "Scale affine0 1 1 max_pool0 affine0 0=12 1=1",
        "Convolution convolution2 1 1 affine0 raw_0 0=2 1=1 2=1 3=1 4=0 5=1 6=24 11=1 12=1 13=1 "
        "14=0 15=0 16=0",
    ]


@pytest.mark.parametrize(
    ("op", "attributes", "expected"),
    [
        ("relu", {}, "9=1"),
        ("sigmoid", {}, "9=4"),
        # ncnn reads at most 15 characters of a number, and has no text for infinity.
        ("leaky_relu", {"slope": -1 / 3}, "9=2 -23310=1,-3.33333333e-01"),
        ("clip", {"min": 0.0, "max": float("inf")}, "9=3 -23310=2,0.00000000e+00,3.40282347e+38"),
    ],
)
def test_activation_within_a_convolution(op, attributes, expected):
    build, planes = started()
    lines = lines_of(build, build.add(op, convolution(build, planes, 3, 4), **attributes))
    assert len(lines) == 2 and f" 6=12 {expected} 11=1 " in lines[1]


def mish(build, source):
    return build.add("multiply", source, build.add("tanh", build.add("softplus", source)))


def test_mish_within_a_convolution():
    build, planes = started()
    lines = lines_of(build, mish(build, convolution(build, planes, 3, 4)))
    assert len(lines) == 2 and " 9=5 " in lines[1]


def test_activation_apart():
    """A convolution with other readers, or an output, is not fused; tanh cannot be fused in ncnn."""
    build, planes = started()
    first = convolution(build, planes, 3, 4)
    last = build.add("add", build.add("relu", first), build.add("tanh", convolution(build, first, 4, 4)))
    third = convolution(build, last, 4, 4)
    assert [line.split()[0] for line in lines_of(build, build.add("relu", third), third)] == [
        *("Input", "Convolution", "Split", "ReLU", "Convolution", "TanH", "BinaryOp"),
        *("Convolution", "Split", "ReLU"),
    ]


def test_mish_of_what_is_read_elsewhere_stays_apart():
    build, planes = started()
    first = convolution(build, planes, 3, 4)
    kinds = [line.split()[0] for line in lines_of(build, build.add("add", mish(build, first), first))]
    assert kinds[1:] == ["Convolution", "Split", "Softplus", "TanH", "BinaryOp", "BinaryOp"]


def test_blobs_that_several_read():
    """A blob that a step reads twice; one that is an output and is read; one that is two outputs."""
    build, planes = started()
    first = convolution(build, planes, 3, 4)
    square = build.add("multiply", first, first)
    last = build.add("tanh", square)
    lines = lines_of(build, square, last, last)
    assert lines[2:] == [
        "Split convolution0_split 1 2 convolution0 convolution0_split_0 convolution0_split_1",
        "BinaryOp multiply0 2 1 convolution0_split_0 convolution0_split_1 multiply0 0=2",
        "Split multiply0_split 1 2 multiply0 raw_0 multiply0_split_1",
        "TanH tanh0 1 1 multiply0_split_1 tanh0",
        "Split tanh0_split 1 2 tanh0 raw_1 raw_2",
    ]


def test_every_other_channel():
    """Both halves come from one map that is shuffled once."""
    build, planes = started()
    first = convolution(build, planes, 3, 6)
    parts = [build.add("slice", first, axis=1, begin=begin, end=6, step=2) for begin in (0, 1)]
    assert lines_of(build, build.add("concat", *parts, axis=1))[2:] == [
        "ShuffleChannel convolution0_by_2 1 1 convolution0 convolution0_by_2 0=2 1=1",
        "Split convolution0_by_2_split 1 2 convolution0_by_2 convolution0_by_2_split_0 "
        "convolution0_by_2_split_1",
        "Crop slice0 1 1 convolution0_by_2_split_0 slice0 -23309=1,0 -23310=1,3 -23311=1,0",
        "Crop slice1 1 1 convolution0_by_2_split_1 slice1 -23309=1,3 -23310=1,6 -23311=1,0",
        "Concat concat0 2 1 slice0 slice1 raw_0 0=0",
    ]


@pytest.mark.parametrize("name", ["yolo3_mobilenet0.25", "yolo3_mobilenetv2_0.25", "yolo_fastestv2"])
def test_form_of_networks(name):
    """Counts are right, names unique, and a blob is written before it is read, by at most one layer."""
    layers = make_layers(read_network(settled(name, CLASSES)))
    text = param_text(layers)
    given = [blob for layer in layers for blob in layer.outputs]
    assert text.splitlines()[1] == f"{len(layers)} {len(given)}"
    assert len(set(given)) == len(given) and len({layer.name for layer in layers}) == len(layers)
    read = Counter(blob for layer in layers for blob in layer.inputs)
    assert max(read.values()) == 1
    unread = sorted(set(given) - set(read))
    assert unread == [f"raw_{level}" for level in range(len(unread))]
    for place, layer in enumerate(layers):
        assert set(layer.inputs) <= {blob for earlier in layers[:place] for blob in earlier.outputs}
    assert all(len(word) <= 255 for word in text.split())


def test_convolution_and_activation_are_one_layer_in_a_mobilenet():
    kinds = Counter(layer.kind for layer in make_layers(read_network(random_detector())))
    assert not {"ReLU", "BatchNorm"} & set(kinds) and kinds["ConvolutionDepthWise"] == 13


def test_same_network_same_files():
    """Gluon numbers its blocks anew for each network; names in the file do not depend on it."""
    texts = [
        [" ".join(line.split()) for line in param_text(make_layers(read_network(net))).splitlines()]
        for net in (settled("yolo_fastestv2", CLASSES), settled("yolo_fastestv2", CLASSES))
    ]
    assert texts[0] == texts[1]


def bin_of(graph, folder, storage):
    write_model(make_layers(graph), folder, "toy", storage)
    assert sorted(path.name for path in folder.iterdir()) == ["toy.bin", "toy.param"]
    return (folder / "toy.bin").read_bytes()


def small_weights():
    """A convolution of 3 weights and a bias, then a scale with a shift."""
    build, planes = started()
    scale, shift = np.array([3.0]), np.array([4.0])
    return build, build.add("affine", convolution(build, planes, 3, 1), weights=(scale, shift))


def test_bin_file_in_float32(tmp_path):
    build, last = small_weights()
    expected = bytes(4) + np.array([0, 1, 2, 0.5, 3, 4], "<f4").tobytes()
    assert bin_of(graph_of(build, last), tmp_path, "float32") == expected


def test_bin_file_in_float16(tmp_path):
    """Three weights of two bytes are padded to a multiple of four bytes; bias and scale stay in float32."""
    build, last = small_weights()
    kernel = b"\x47\x6b\x30\x01" + np.array([0, 1, 2], "<f2").tobytes() + bytes(2)
    expected = kernel + np.array([0.5, 3, 4], "<f4").tobytes()
    assert bin_of(graph_of(build, last), tmp_path, "float16") == expected


def test_weights_beyond_float16_stay_in_float32(tmp_path):
    build, last = small_weights()
    build.weights["convolution0_weight"] *= 1e5
    expected = bytes(4) + np.array([0, 1e5, 2e5, 0.5, 3, 4], "<f4").tobytes()
    assert bin_of(graph_of(build, last), tmp_path, "float16") == expected


def test_unknown_storage(tmp_path):
    with pytest.raises(ValueError, match="expected float32 or float16, got 'int8'"):
        write_model([], tmp_path, "toy", "int8")


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (lambda build, x: build.add("exp", x, name="power"), r"exp \(power\) cannot be written for ncnn"),
        (lambda build, x: build.add("concat", x, x, axis=2), r"concat \(concat0\).*: axis=2"),
        (lambda build, x: build.add("slice", x, axis=3, begin=0, end=1, step=1), "axis=3"),
        (lambda build, x: build.add("slice", x, axis=1, begin=0, end=2, step=2), "channels 0 to 2 by 2 of 3"),
        (
            lambda build, x: build.add("multiply", x, weights=(np.ones((1, 3, 1, 1)),)),
            "factor that is a weight",
        ),
    ],
)
def test_no_layer(add, message):
    build, planes = started()
    with pytest.raises(UserError, match=f"{message}.*; export the network with format onnx or symbol"):
        make_layers(graph_of(build, add(build, planes)))


def test_decoding_is_not_ncnns():
    net = random_detector()
    with pytest.raises(UserError, match=r"operator reshape \(decode_reshape0\) cannot be written for ncnn"):
        make_layers(with_decoding(read_network(net), net.spec))


def test_importing_needs_numpy_alone():
    packages = "{'mxnet', 'onnx', 'ncnn'}"
    code = f"import sys, gluon_yolo.exporters.ncnn.file; print(sorted({packages} & set(sys.modules)))"
    done = python("-c", code)
    assert done.stdout.strip() == "[]"
