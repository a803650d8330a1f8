"""Every workaround for a fault of mxnet's CPU kernels, and similar cases: float32 against float64.

A fault appears at some widths, map sizes and memory plans only, and mostly in the backward pass. So each
block is tested between convolutions, which use oneDNN's own memory layouts for maps and gradients.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gluon_yolo.models.backbones.shufflenetv2 import DownsamplingUnit, ShuffleUnit
from gluon_yolo.models.darknet.activations import activation_block
from gluon_yolo.models.darknet.parse import ACTIVATIONS
from gluon_yolo.models.layers import conv_cell, fuse_for_training, hold_statistics, make_norm
from gluon_yolo.models.necks import LightFPN, YOLOv3Neck
from gluon_yolo.mxnet_compat import autograd, gluon, nd
from tests import own_process
from tests.float64 import block_error, in_float64
from tests.judged_networks import batch_norms
from tests.models.darknet import small

Conv2D, Sequential = gluon.nn.Conv2D, gluon.nn.HybridSequential
# float32 has seven digits, of which a sum over a batch of maps loses at most two. Without the workarounds the
# errors are a tenth or more.
TOLERANCE = 1e-4
KINK = 1.5e-5  # float32's largest error of a value before an activation was 1e-5
IN_CHANNELS, OUT_CHANNELS = 5, 24
NORM = make_norm()
planned_or_not = pytest.mark.parametrize("hybridize", [False, True], ids=["one by one", "planned"])


class Between(gluon.HybridBlock):
    """A block between 1x1 convolutions, one before each input and one after each output.

    Args:
        middle: the block.
        widths: channels of its inputs; each map has half the size of the one before.
        outputs: number of outputs.
        out_channels: of each convolution after it.
    """

    def __init__(self, middle: gluon.HybridBlock, widths: tuple[int, ...], outputs: int, out_channels: int):
        super().__init__()
        self.before, self.behind = Sequential(), Sequential()
        for level, width in enumerate(widths):
            self.before.add(Conv2D(width, 1, 2**level, in_channels=IN_CHANNELS))
        self.middle = middle
        for _ in range(outputs):
            self.behind.add(Conv2D(out_channels, 1))

    def hybrid_forward(self, F, x):
        given = self.middle(*(convolution(x) for convolution in self.before))
        given = given if isinstance(given, (tuple, list)) else (given,)
        return tuple(convolution(one) for convolution, one in zip(self.behind, given))


def error(
    build: Callable[[], gluon.HybridBlock],
    widths: tuple[int, ...],
    hybridize: bool,
    size_hw: tuple[int, int] = (6, 10),
    batch_size: int = 2,
    held: bool = False,
    outputs: int = 1,
    out_channels: int = OUT_CHANNELS,
) -> tuple[float, str]:
    """Return the largest error of a block between convolutions, trained on the CPU, and its place."""
    shape = (batch_size, IN_CHANNELS, *size_hw)

    def make() -> gluon.HybridBlock:
        net = Between(build(), widths, outputs, out_channels)
        net.initialize()
        net(nd.zeros(shape))  # infers the shapes
        fill(net)
        for norm in batch_norms(net) if held else ():
            hold_statistics(norm)
        fuse_for_training(net)
        return net

    return block_error(make, [off_the_kinks(make(), shape)], hybridize)


def off_the_kinks(net: gluon.HybridBlock, shape: tuple[int, ...]) -> np.ndarray:
    """Draw an input with which no value before an activation is near 0 in float64.

    At the kink of a ReLU rounding decides between two slopes, which is no fault. Measured on YOLOv3's neck
    (widths 32, 96, 1280), before its last leaky ReLU: one of 30720 values was 1.2e-6 in float64, above 0 in
    PyTorch's float32 and in mxnet's with two threads, and -3.4e-7 in mxnet's with one. Gradients were up to
    0.8 % off then; with this one value on the other side float64's are 2e-6 from those.
    """
    nearest: list[float] = []

    def look(norm: gluon.nn.BatchNorm, given: tuple, _) -> None:
        names = ("gamma", "beta", "running_mean", "running_var")
        arrays = [getattr(norm, name).data().copy() for name in names]
        nearest.append(float(nd.BatchNorm(given[0], *arrays, **norm._kwargs).abs().min().asscalar()))

    net.cast("float64")
    for norm in batch_norms(net):
        norm.register_forward_hook(look)
    for seed in range(3, 100):
        x = np.random.default_rng(seed).normal(0, 1, shape)
        nearest.clear()
        with in_float64(), autograd.record():
            net(nd.array(x, dtype="float64"))
        if min(nearest, default=1.0) > KINK:
            return x
    raise AssertionError(f"every input is within {KINK} of a kink")


def fill(net: gluon.Block) -> None:
    """Draw every parameter, so that none is an identity and no map vanishes."""
    rng = np.random.default_rng(7)
    for name, parameter in net._collect_params_with_prefix().items():
        if name.endswith((".gamma", ".running_var")):
            value = rng.uniform(0.5, 1.5, parameter.shape)
        else:
            fan_in = np.prod(parameter.shape[1:]) if len(parameter.shape) > 1 else 1
            value = rng.normal(0, fan_in**-0.5, parameter.shape)
        parameter.set_data(nd.array(value))


def assert_right(case: Callable[..., list], *args) -> None:
    """Compare each (what, (error, where)) of a case with the tolerance."""
    for what, (apart, where) in own_process.call(case, *args):
        assert apart < TOLERANCE, f"{what}: {where} is {apart:.1e} off"


def norm_with_relu(channels: int, held: bool, hybridize: bool) -> list:
    found = []
    for size_hw in ((1, 1), (3, 5), (13, 13)):
        # The variance of a channel with few values is not reliable.
        batch_size = 64 if size_hw == (1, 1) and not held else 3
        for groups in (1, channels):
            build = lambda g=groups: conv_cell(channels, 3, NORM, groups=g, in_channels=channels)  # noqa: E731
            options = {"batch_size": batch_size, "held": held, "out_channels": 2 * channels}
            found.append(((size_hw, groups), error(build, (channels,), hybridize, size_hw, **options)))
    return found


@planned_or_not
@pytest.mark.parametrize("held", [False, True], ids=["of the batch", "stored"])
@pytest.mark.parametrize("channels", [2, 8, 12, 16, 24, 32, 40, 48, 64, 96, 128, 256])
def test_batch_norm_with_relu(channels, held, hybridize):
    """Powers of two use one kernel; a 3x3 convolution and a depthwise one have different layouts."""
    assert_right(norm_with_relu, channels, held, hybridize)


def norm_with_others(channels: int, hybridize: bool) -> list:
    found = []
    for activation in ("leaky", "relu6", "linear"):
        build = lambda a=activation: conv_cell(channels, 3, NORM, 2, activation=a, in_channels=channels)  # noqa: E731
        found.append((activation, error(build, (channels,), hybridize)))
    return found


@planned_or_not
@pytest.mark.parametrize("channels", [8, 18, 24, 48])
def test_batch_norm_with_other_activations(channels, hybridize):
    assert_right(norm_with_others, channels, hybridize)


def shuffle_units(channels: int, hybridize: bool) -> list:
    def both():  # the first block concatenates, the second splits the result
        net = Sequential()
        net.add(DownsamplingUnit(channels // 2, channels, NORM), ShuffleUnit(channels, NORM))
        return net

    found = []
    for size_hw in ((1, 3), (6, 10), (7, 9)):
        one = error(lambda: ShuffleUnit(channels, NORM), (channels,), hybridize, size_hw, 4)
        two = error(both, (channels // 2,), hybridize, size_hw, 4)
        found += [((size_hw, "one"), one), ((size_hw, "two"), two)]
    return found


@planned_or_not
@pytest.mark.parametrize("channels", [4, 12, 16, 20, 48, 96, 116, 192])
def test_shuffle_units(channels, hybridize):
    assert_right(shuffle_units, channels, hybridize)


def necks(widths: tuple[int, int, int], hybridize: bool) -> list:
    size_hw, batch_size = (12, 20), 4
    build = lambda: YOLOv3Neck(widths, (16, 32, 48), NORM)  # noqa: E731
    light = lambda: LightFPN(widths[:2], 24, NORM)  # noqa: E731
    return [
        ("YOLOv3's", error(build, widths, hybridize, size_hw, batch_size, outputs=3)),
        ("light", error(light, widths[:2], hybridize, size_hw, batch_size, outputs=4)),
    ]


@planned_or_not
@pytest.mark.parametrize(
    "widths", [(64, 128, 256), (32, 96, 1280), (24, 72, 320), (8, 24, 80), (16, 48, 640)]
)
def test_upsampled_maps_beside_others(widths, hybridize):
    """The widths of the zoo's backbones, some of which are no multiples of 16."""
    assert_right(necks, widths, hybridize)


def activations(hybridize: bool) -> list:
    names = [name for name in ACTIVATIONS if name != "linear"]
    return [
        ((name, channels), error(lambda n=name: activation_block(n), (channels,), hybridize))
        for name in names
        for channels in (3, 16, 24)
    ]


@planned_or_not
def test_activations(hybridize):
    assert_right(activations, hybridize)


def convolution(filters: int) -> str:
    return f"[convolutional]\nfilters={filters}\nsize=1\nstride=1\nactivation=leaky\n"


def pool(size: int, stride: int) -> str:
    return f"[maxpool]\nsize={size}\nstride={stride}\n"


WIDE = "[WIDTH]"
HALVED = convolution(20).replace("stride=1", "stride=2")
SPP = pool(5, 1) + "[route]\nlayers=-2\n" + pool(9, 1) + "[route]\nlayers=-4\n" + pool(3, 1)
# After a convolution of some width (layer 0), before another one.
SECTIONS = {
    "route": convolution(12) + "[route]\nlayers=-1,0\n",
    "route of three": convolution(40) + convolution(7) + "[route]\nlayers=0,-1,-2\n",
    "route of groups": convolution(24) + "[route]\nlayers=-1,0\ngroups=2\ngroup_id=1\n",
    "route of one group": "[route]\nlayers=0\ngroups=2\ngroup_id=1\n",
    "pool first": pool(5, 1) + "[route]\nlayers=-1,0\n",
    "pool last": pool(5, 1) + "[route]\nlayers=0,-1\n",
    "spp": SPP + "[route]\nlayers=-1,-3,-5,0\n",
    "spp, the map first": SPP + "[route]\nlayers=0,-5,-3,-1\n",
    "pool of a pool": pool(5, 1) + pool(5, 1) + "[route]\nlayers=-1,-2,0\n",
    "pool, route, shortcut": pool(3, 1) + "[route]\nlayers=-1,0\n" + convolution(16)
    + "[shortcut]\nfrom=0\nactivation=leaky\n[route]\nlayers=-1,0\n",
    # as in yoloface-500k-v2: a map is pooled, and concatenated with an upsampled one
    "pool down, route up": pool(2, 2) + convolution(18) + "[upsample]\nstride=2\n[route]\nlayers=-1,0\n",
    "pool beside a convolution": pool(2, 2) + "[route]\nlayers=0\n" + HALVED + "[route]\nlayers=-1,1\n",
    "pools that end beyond the map": pool(2, 1) + pool(3, 2) + pool(2, 2),
    "upsample": HALVED + "[upsample]\nstride=2\n[route]\nlayers=-1,0\n",
    "shortcut of more channels": convolution(11) + "[shortcut]\nfrom=0\nactivation=linear\n",
    "shortcut of fewer channels": convolution(52) + "[shortcut]\nfrom=0\nactivation=linear\n",
    "squeeze and excite": "[avgpool]\n" + convolution(9) + WIDE + "[scale_channels]\nfrom=0\n",
    "sam": WIDE + "[sam]\nfrom=0\n",
}  # fmt: skip


def sections(name: str, hybridize: bool) -> list:
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 64, 3))
    found = []
    for width in (8, 16, 18, 40, 48):
        between = SECTIONS[name].replace(WIDE, convolution(width))
        text = small.NET + convolution(width) + between + convolution(OUT_CHANNELS) + small.YOLO

        def make(text=text):
            net = small.built(text)
            fill(net)
            return net

        found.append((width, block_error(make, [images], hybridize)))
    return found


@planned_or_not
@pytest.mark.parametrize("name", SECTIONS)
def test_sections_of_a_cfg(name, hybridize):
    assert_right(sections, name, hybridize)
