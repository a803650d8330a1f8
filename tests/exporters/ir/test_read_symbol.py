"""Graphs read from networks: the same raw maps, operator by operator, and messages about unsupported ones."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.exporters.ir.read_symbol import read_network, read_symbol
from gluon_yolo.models.darknet.parse import ACTIVATIONS
from gluon_yolo.mxnet_compat import mx
from tests.exporters import numpy_engine
from tests.exporters.networks import settled
from tests.models.darknet import small
from tests.random_model import CLASSES, random_detector, random_image

CONVOLUTION = "\n[convolutional]\nfilters={filters}\nsize={size}\nstride={stride}\npad=1\n{more}\n"


def convolution(filters=8, size=3, stride=1, more="batch_normalize=1\nactivation=leaky"):
    return CONVOLUTION.format(filters=filters, size=size, stride=stride, more=more)


# Layers between the first convolution (8 channels, stride 2) and the head.
MIDDLES = {
    **{f"activation {name}": convolution(more=f"activation={name}") for name in ACTIVATIONS},
    "depthwise": convolution(more="groups=8\nbatch_normalize=1\nactivation=relu"),
    "groups": convolution(12, more="groups=4\nactivation=linear"),
    "dilation": convolution(more="dilation=2\nactivation=linear"),
    "5x5": convolution(size=5, more="activation=linear"),
    "maxpool 2 stride 2": "\n[maxpool]\nsize=2\nstride=2\n",
    "maxpool 2 stride 1": "\n[maxpool]\nsize=2\nstride=1\n",
    "maxpool 3 stride 2": "\n[maxpool]\nsize=3\nstride=2\n",
    "maxpool 4 stride 2": "\n[maxpool]\nsize=4\nstride=2\n",
    "maxpool 8 stride 2": "\n[maxpool]\nsize=8\nstride=2\n",
    "maxpool 5 stride 1": "\n[maxpool]\nsize=5\nstride=1\n",
    "upsample": "\n[upsample]\nstride=2\n",
    "dropout": "\n[dropout]\nprobability=.5\n",
    "route": convolution(5) + "\n[route]\nlayers=-1,-2\n",
    "route of a part": "\n[route]\nlayers=-1\ngroups=2\ngroup_id=1\n",
    "shortcut": convolution() + "\n[shortcut]\nfrom=-2\nactivation=linear\n",
    "shortcut to a narrower map": convolution(5) + "\n[shortcut]\nfrom=-2\nactivation=leaky\n",
    "shortcut to a wider map": convolution(12) + "\n[shortcut]\nfrom=-2\nactivation=linear\n",
    "squeeze and excite": "\n[avgpool]\n"
    + convolution(8, 1)
    + "\n[scale_channels]\nfrom=-3\nactivation=relu\n",
    "sam": convolution(more="activation=logistic") + "\n[sam]\nfrom=-2\nactivation=linear\n",
}


def raw_maps(net, pixels):
    return [raw.asnumpy() for raw in net(mx.nd.array(pixels))]


def assert_same(graph, net, *shapes):
    """Compare for batches of images (B, H, W)."""
    for batch, height, width in shapes:
        pixels = np.stack([random_image(height, width, seed) for seed in range(batch)])
        given, expected = numpy_engine.run(graph, pixels), raw_maps(net, pixels)
        assert list(given) == [f"raw_{level}" for level in range(len(expected))]
        for ours, theirs in zip(given.values(), expected):
            assert ours.shape == theirs.shape
            assert np.abs(ours - theirs).max() <= 2e-5 * max(1, np.abs(theirs).max())


@pytest.mark.parametrize("middle", MIDDLES)
def test_operator(middle):
    net = small.built(small.NET + small.BACKBONE + MIDDLES[middle] + small.YOLO)
    assert_same(read_network(net), net, (1, 32, 64), (2, 48, 40))


@pytest.mark.parametrize("name", ["yolo3_mobilenet0.25", "yolo3_mobilenetv2_0.25", "yolo_fastestv2"])
def test_family(name):
    net = settled(name, CLASSES)
    assert_same(read_network(net), net, (2, 64, 96))


def operators(graph):
    return [node.op for node in graph.nodes]


def test_pure_scaling_of_pixels_is_part_of_the_first_convolution():
    graph = read_network(small.built(small.SMALL))
    assert operators(graph) == ["planes", "convolution", "leaky_relu", "convolution"]
    assert graph.nodes[1].name == "layer0_convolution"
    assert graph.outputs == {"raw_0": "layer1_convolution"}


def test_colour_means_stay_in_front_of_padding():
    """Padding with zeros is grey, not black, for a network that subtracts means."""
    net = random_detector()
    graph = read_network(net)
    planes, shift, first = graph.nodes[:3]
    assert [planes.op, shift.op, first.op] == ["planes", "affine", "convolution"]
    scale, means = (graph.weights[name] for name in shift.inputs[1:])
    assert (scale == 1).all() and means == pytest.approx([-123.675, -116.28, -103.53])
    assert "affine" not in operators(graph)[3:]


def test_batch_norm_over_devices_reads_as_batch_norm():
    pixels = random_image(64, 64)[None]
    plain, sync = (
        numpy_engine.run(read_network(random_detector(norm=norm)), pixels) for norm in ("bn", "sync")
    )
    assert all((plain[name] == sync[name]).all() for name in plain)


def test_heads_that_levels_share_share_their_weights():
    graph = read_network(settled("yolo_fastestv2", CLASSES))
    names = [node.inputs[1] for node in graph.nodes if node.op == "convolution" and "heads" in node.inputs[1]]
    assert len(names) == 6 and len(set(names)) == 3


def test_channel_shuffle_is_two_slices_and_a_concatenation():
    graph = read_network(settled("yolo_fastestv2", CLASSES))
    slices = [node.attributes for node in graph.nodes if node.op == "slice"]
    assert not {"reshape", "transpose"} & set(operators(graph))
    assert slices[:2] == [
        {"axis": 1, "begin": 0, "end": 48, "step": 2},
        {"axis": 1, "begin": 1, "end": 48, "step": 2},
    ]


def test_same_network_same_graph():
    """Names do not depend on the number of networks built before."""
    first, second = (read_network(random_detector()) for _ in range(2))
    assert first.nodes == second.nodes and first.outputs == second.outputs
    assert all((first.weights[name] == second.weights[name]).all() for name in first.weights)


def variable():
    return mx.sym.var("data")


@pytest.mark.parametrize(
    ("symbol", "message"),
    [
        (lambda x: mx.sym.sin(x, name="wave"), r"sin \(wave\) .* no counterpart"),
        (
            lambda x: mx.sym.Pooling(x, (2, 2), "avg", pooling_convention="full", name="mean"),
            r"Pooling \(mean\).*avg",
        ),
        (
            lambda x: mx.sym.Pooling(x, global_pool=True, kernel=(1, 1), name="top"),
            r"Pooling \(top\).*global",
        ),
        (lambda x: mx.sym.LeakyReLU(x, act_type="gelu", name="act"), r"LeakyReLU \(act\).*act_type=gelu"),
        (lambda x: mx.sym.Activation(x, act_type="softsign", name="act"), r"Activation \(act\).*softsign"),
        (lambda x: mx.sym.reshape(x, (0, -1), name="flat"), r"Reshape \(flat\)"),
        (lambda x: mx.sym.concat(x, x, dim=2, name="tall"), r"Concat \(tall\).*dim=2"),
        (lambda x: mx.sym.slice_axis(x, axis=2, begin=0, end=2, name="rows"), r"slice_axis \(rows\).*=2"),
        (lambda x: mx.sym.transpose(x, (0, 2, 1, 3), name="turn"), r"transpose \(turn\)"),
        (lambda x: mx.sym.cast(x, "float16", name="half"), r"Cast \(half\).*dtype=float16"),
        (lambda x: mx.sym.broadcast_div(x, x, name="ratio"), r"broadcast_div \(ratio\).*no parameter"),
        (lambda x: mx.sym.pad(x, "constant", (0, 0, 0, 0, 1, 1, 1, 1), name="frame"), r"Pad \(frame\)"),
        (lambda x: mx.sym.SliceChannel(x, 2, name="halves")[0], r"SliceChannel \(halves\)"),
    ],
)
def test_what_a_graph_has_no_word_for(symbol, message):
    with pytest.raises(UserError, match=f"^toy: operator .*{message}.*with format symbol"):
        read_symbol(symbol(variable()).tojson(), {}, "toy")


def test_output_that_is_nothing_yet():
    padded = mx.sym.pad(variable(), "edge", (0, 0, 0, 0, 0, 1, 0, 1), name="padded")
    with pytest.raises(UserError, match="toy: output padded is no array"):
        read_symbol(padded.tojson(), {}, "toy")


def test_scalars_and_constants():
    """X * 2 + 1, - 3, / 4; a constant for each channel; one for all."""
    x = mx.sym.transpose(variable(), (0, 3, 1, 2))
    y = mx.sym.broadcast_mul(mx.sym.broadcast_sub((x * 2 + 1 - 3) / 4, mx.sym.var("c")), mx.sym.var("all"))
    values = {"c": np.arange(3.0).reshape(1, 3, 1, 1), "all": np.array([10.0])}
    graph = read_symbol(mx.sym.identity(y, name="out").tojson(), values, "toy")
    assert operators(graph) == ["planes", "affine"]
    pixels = np.full((1, 1, 1, 3), 5, np.uint8)
    assert numpy_engine.run(graph, pixels)["out"].ravel().tolist() == [20, 10, 0]
