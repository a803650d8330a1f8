"""The reference itself: mxnet's gradients in float64 against central differences of its values."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.models import zoo
from gluon_yolo.models.layers import hold_statistics
from gluon_yolo.mxnet_compat import autograd, nd
from gluon_yolo.weights.load import structural_parameters
from tests import own_process
from tests.float64 import in_float64
from tests.judged_networks import batch_norms, drawn
from tests.models.darknet import small

STEP = 1e-5  # of a parameter, as a fraction of its norm
# Sections of larger cfgs: pools concatenated with their input, uneven routes, squeeze-and-excitation,
# upsampling, shortcuts.


def conv(filters: int, size: int = 3, activation: str = "leaky", stride: int = 1, more: str = "") -> str:
    norm = "" if activation == "logistic" else "batch_normalize=1\n"
    return (
        f"[convolutional]\nfilters={filters}\nsize={size}\nstride={stride}\npad=1\n"
        f"activation={activation}\n{norm}{more}"
    )


POOLS = "[maxpool]\nsize=3\nstride=1\n[route]\nlayers=-2\n[maxpool]\nsize=5\nstride=1\n"
EVERYTHING = (
    *(small.NET, small.BACKBONE, conv(18, activation="relu", stride=2)),
    *(POOLS, "[route]\nlayers=-1,-3,-4\n", conv(24, more="groups=2\n")),
    *("[avgpool]\n", conv(24, 1, "logistic"), "[scale_channels]\nfrom=-3\n"),
    *("[upsample]\nstride=2\n[route]\nlayers=-1,0\n", conv(12, activation="swish", stride=2), conv(20)),
    *("[shortcut]\nfrom=-2\nactivation=leaky\n", small.YOLO),
)


def slopes(name: str, held: bool) -> list[tuple[str, float, float]]:
    """Return each parameter with its gradient along a random direction, and the central difference."""
    size_hw = (32, 64)
    images = np.random.default_rng(0).integers(0, 256, (4, *size_hw, 3))
    net = small.built("".join(EVERYTHING)) if name == "cfg" else zoo.build(name)
    drawn(net, images)
    for norm in batch_norms(net) if held else ():
        hold_statistics(norm)
    net.cast("float64")
    pixels, rng = nd.array(images, dtype="uint8"), np.random.default_rng(1)
    with in_float64(), autograd.train_mode():
        weights = [nd.array(rng.normal(size=raw.shape), dtype="float64") for raw in net(pixels)]

        def value() -> float:
            return float(sum((raw * weight).sum() for raw, weight in zip(net(pixels), weights)).asscalar())

        with autograd.record():
            maps = net(pixels)
        autograd.backward(list(maps), weights)
        nd.waitall()
        trained = {n: p for n, p in structural_parameters(net).items() if p.grad_req != "null"}
        gradients = {n: p.grad().asnumpy().copy() for n, p in trained.items()}
        found = []
        for place, parameter in trained.items():
            at = parameter.data().asnumpy().copy()
            direction = rng.normal(size=at.shape) * (np.abs(at).mean() + 1e-3)
            ends = []
            for sign in (1, -1):
                parameter.set_data(nd.array(at + sign * STEP * direction, dtype="float64"))
                ends.append(value())
            parameter.set_data(nd.array(at, dtype="float64"))
            expected = float((gradients[place] * direction).sum())
            found.append((place, expected, (ends[0] - ends[1]) / (2 * STEP)))
    return found


ZOO = ("yolo_fastestv2_voc", "yolo3_mobilenet0.25_voc", "yolo3_mobilenetv2_0.25_voc")


@pytest.mark.parametrize(
    ("name", "held"),
    [("cfg", True), ("cfg", False), *(pytest.param(name, True, marks=pytest.mark.slow) for name in ZOO)],
)
def test_gradients_are_central_differences(name, held):
    found = own_process.call(slopes, name, held)
    size = float(np.mean([abs(expected) for _, expected, _ in found]))
    assert len(found) > 12 and size > 0
    for place, expected, slope in found:  # a step across the kink of a ReLU changes the fourth digit
        assert expected == pytest.approx(slope, rel=1e-3, abs=1e-6 * size), place
