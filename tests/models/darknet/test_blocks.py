"""Blocks of single layers against NumPy, and against OpenCV where it supports them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gluon_yolo.models.darknet.network import DarknetNetwork
from gluon_yolo.mxnet_compat import autograd, nd
from gluon_yolo.weights import darknet_file
from tests.models.darknet import small
from tests.models.darknet.judge import compare
from tests.models.darknet.small import BACKBONE, NET, YOLO

THIN = NET.replace("64", "27").replace("32", "22")  # odd sizes; only the layer under test runs


def block_of(section: str, before: str = "") -> tuple:
    """Return the record and the block of a section, with random weights."""
    plan = small.plan_of(THIN + before + section)
    net = DarknetNetwork("part", plan, spec=None)
    net.initialize(force_reinit=True)
    layer = plan.layers[-1]
    return layer, net._blocks[layer.index]


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def run(block, *maps):
    return block(*(nd.array(x) for x in maps)).asnumpy()


CONVOLUTIONS = [
    "size=3\nstride=1\npad=1",
    "size=3\nstride=2\npad=1",
    "size=5\nstride=1\npadding=1",
    "size=3\nstride=1\npad=1\ndilation=2",
    "size=3\nstride=1\npadding=2\ndilation=3",
    "size=1\nstride=1\npad=1\ndilation=2",
    "size=2\nstride=2\npad=1",
    "size=3\nstride_x=2\nstride_y=1\npad=1",
    "size=3\nstride=1\npad=1\ngroups=3",
    "size=3\nstride=1\npad=0\npadding=0",
]


@pytest.mark.parametrize("keys", CONVOLUTIONS)
def test_convolution(keys):
    layer, block = block_of(f"[convolutional]\nfilters=6\nactivation=linear\n{keys}\n")
    x, kernel = drawn(1, 3, 22, 27), drawn(*layer.weight_shape, seed=1)
    bias = drawn(6, seed=2)
    block.convolution.weight.set_data(nd.array(kernel))
    block.convolution.bias.set_data(nd.array(bias))
    padded = np.pad(x[0], ((0, 0), *[(layer.padding, layer.padding)] * 2))
    given = run(block, x)[0]
    assert given.shape == (layer.output.channels, layer.output.height, layer.output.width)
    per_group, outputs = 3 // layer.groups, 6 // layer.groups
    for channel, row, column in np.ndindex(given.shape):
        y, x0 = row * layer.stride_hw[0], column * layer.stride_hw[1]
        reach = (layer.kernel - 1) * layer.dilation + 1
        window = padded[:, y : y + reach : layer.dilation, x0 : x0 + reach : layer.dilation]
        first = channel // outputs * per_group
        wanted = (window[first : first + per_group] * kernel[channel]).sum() + bias[channel]
        assert abs(given[channel, row, column] - wanted) < 1e-4


POOLS = ["size=2\nstride=2", "size=2\nstride=1", "size=3\nstride=2", "size=5\nstride=1", "size=9\nstride=1"]
POOLS += ["size=4\nstride=2", "size=3\nstride=1\npadding=1", "stride=2", "size=2\nstride=2\npadding=0"]
POOLS += ["size=13\nstride=1", "size=2\nstride_x=1\nstride_y=2\nstride=2"]


@pytest.mark.parametrize("keys", POOLS)
def test_maxpool(keys):
    """The first window begins half of the padding, rounded down, before the map."""
    layer, block = block_of(f"[maxpool]\n{keys}\n")
    x = drawn(1, 3, 22, 27)
    before = layer.padding // 2
    padded = np.pad(x[0], ((0, 0), *[(before, layer.padding - before)] * 2), constant_values=-np.inf)
    given = run(block, x)[0]
    assert given.shape == (3, layer.output.height, layer.output.width)
    for row, column in np.ndindex(given.shape[1:]):
        y, x0 = row * layer.stride_hw[0], column * layer.stride_hw[1]
        window = padded[:, y : y + layer.kernel, x0 : x0 + layer.kernel]
        np.testing.assert_array_equal(given[:, row, column], window.max((1, 2)))


@pytest.mark.parametrize("size", [5, 7, 9, 11, 13])
@pytest.mark.parametrize("size_hw", [(22, 27), (4, 3), (1, 1)])
def test_a_large_pool_in_training_is_the_same_as_one_pool(size, size_hw):
    """Of equal values the first one gets the gradient; whole numbers of few values are equal often."""
    layer, block = block_of(f"[maxpool]\nsize={size}\nstride=1\n")
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, (2, 3, *size_hw)).astype(np.float32)
    outer = nd.array(rng.integers(1, 9, x.shape))
    found = []
    for pool in (block, lambda x: nd.Pooling(x, kernel=(size,) * 2, pad=(size // 2,) * 2, pool_type="max")):
        given = nd.array(x)
        given.attach_grad()
        with autograd.record():
            output = pool(given)
        output.backward(outer)
        found.append((output.asnumpy(), given.grad.asnumpy()))
    for part, whole in zip(*found):
        np.testing.assert_array_equal(part, whole)
    np.testing.assert_array_equal(run(block, x), found[1][0])


def convolution(filters: int) -> str:
    return f"[convolutional]\nfilters={filters}\nsize=1\nstride=1\nactivation=linear\n"


def test_shortcut_of_several():
    """Each input adds the channels that it and the first one have; then the activation."""
    before = convolution(6) + convolution(2) + convolution(4)
    layer, block = block_of("[shortcut]\nfrom=-2,0,-3\nactivation=leaky\n", before)
    assert layer.inputs == (2, 1, 0, 0)
    x, few, many = drawn(1, 4, 22, 27), drawn(1, 2, 22, 27, seed=1), drawn(1, 6, 22, 27, seed=2)
    wanted = x.copy()
    wanted[:, :2] += few
    wanted += 2 * many[:, :4]
    wanted = np.where(wanted > 0, wanted, 0.1 * wanted)
    np.testing.assert_allclose(run(block, x, few, many, many), wanted, atol=1e-6)


def test_sam():
    layer, block = block_of("[sam]\nfrom=-2\nactivation=relu\n", convolution(4) * 2)
    assert layer.inputs == (1, 0)
    factor, x = drawn(1, 4, 22, 27), drawn(1, 4, 22, 27, seed=1)
    np.testing.assert_allclose(run(block, factor, x), np.maximum(factor * x, 0), atol=1e-6)


def test_route_of_groups_takes_the_part_of_each():
    layer, block = block_of("[route]\nlayers=0,1\ngroups=2\ngroup_id=1\n", convolution(4) + convolution(6))
    a, b = drawn(1, 4, 22, 27), drawn(1, 6, 22, 27, seed=1)
    np.testing.assert_array_equal(run(block, a, b), np.concatenate([a[:, 2:], b[:, 3:]], axis=1))
    assert layer.output.channels == 5


def activated(name: str) -> str:
    return BACKBONE.replace("leaky", name).replace("stride=2", "stride=1")


SAME = BACKBONE.replace("stride=2", "stride=1")
LINEAR = "activation=linear\n"
GATE = convolution(8).replace("linear", "logistic")
SPP = "[maxpool]\nsize=5\nstride=1\n[route]\nlayers=-2\n[maxpool]\nsize=9\nstride=1\n"
# Sections that OpenCV supports too: between the first convolution (layer 0: 8 channels, 16x32) and the head.
JUDGED = {
    "swish": activated("swish"),
    "mish": activated("mish"),
    "logistic": activated("logistic"),
    "tanh": activated("tanh"),
    "pool 2/1": "[maxpool]\nsize=2\nstride=1\n",
    "pool 2/2": "[maxpool]\nsize=2\nstride=2\n",
    "spp": SPP + "[route]\nlayers=-1,-3,0\n",
    "upsample": BACKBONE + "[upsample]\nstride=2\n[route]\nlayers=-1,0\n",
    "route group": "[route]\nlayers=0\ngroups=2\ngroup_id=1\n",
    "shortcut": SAME + "[shortcut]\nfrom=-2\nactivation=linear\n",
    "shortcut leaky": SAME + "[shortcut]\nfrom=-2\nactivation=leaky\n",
    "shortcut of more channels": SAME.replace("=8", "=5") + "[shortcut]\nfrom=0\n" + LINEAR,
    "shortcut of fewer channels": SAME.replace("=8", "=12") + "[shortcut]\nfrom=0\n" + LINEAR,
    "squeeze and excite": "[avgpool]\n" + GATE + "[scale_channels]\nfrom=0\n",
    "dropout": "[dropout]\nprobability=.5\n" + SAME,
    "depthwise": SAME.replace("filters=8", "filters=8\ngroups=8"),
    "padding": SAME.replace("pad=1", "padding=2").replace("size=3", "size=5"),
}  # fmt: skip


@pytest.mark.parametrize("name", JUDGED)
def test_sections_that_opencv_reads(name, tmp_path):
    """Networks with one such section; the class probabilities of the random head are well above zero."""
    text = NET + BACKBONE + JUDGED[name] + YOLO
    net = small.built(text)
    darknet_file.get_weights(net).write(tmp_path / "w")
    image = cv2.GaussianBlur(small.pixels(net.plan, seed=1).asnumpy()[0], (5, 5), 0)
    compare(small.parsed(text), tmp_path / "w", [image], tmp_path)
