"""Batch norms folded into convolutions: the same values, fewer steps."""

from __future__ import annotations

import pytest

from gluon_yolo.mxnet_compat import gluon, nd
from tests.models.darknet import small
from tests.random_model import random_detector, random_image

torch = pytest.importorskip("torch", reason="the second engine needs PyTorch")

from gluon_yolo.pytorch.batch_norm import batch_norms  # noqa: E402
from gluon_yolo.pytorch.fold import fold_norms  # noqa: E402
from gluon_yolo.pytorch.module import block_module  # noqa: E402
from gluon_yolo.pytorch.operators.layers import convolution  # noqa: E402


class Branched(gluon.HybridBlock):
    """Two norms of one convolution, and a norm of a convolution with a bias."""

    def __init__(self):
        super().__init__()
        self.first, self.second = gluon.nn.Conv2D(4, 3, in_channels=3), gluon.nn.Conv2D(4, 3, in_channels=4)
        self.norms = gluon.nn.HybridSequential()
        self.norms.add(*(gluon.nn.BatchNorm(in_channels=4, scale=scale) for scale in (True, True, False)))

    def hybrid_forward(self, F, x):
        x = self.first(x)
        return self.norms[2](self.second(self.norms[0](x) + self.norms[1](x)))


def drawn_branches() -> Branched:
    net = Branched()
    net.initialize()
    for seed, parameter in enumerate(net.collect_params().values()):
        torch.manual_seed(seed)
        parameter.set_data(nd.array(torch.rand(parameter.shape).numpy() + 0.5))
    return net


def inputs(name: str):
    if name == "branches":
        return torch.rand(2, 3, 9, 8) * 4
    return torch.from_numpy(random_image(64, 96)[None])


def calls(module) -> int:
    return sum(node.op.startswith("call") for node in module.graph.nodes)


@pytest.mark.parametrize(
    ("name", "build", "left"),
    [
        ("detector", random_detector, 0),
        ("cfg", lambda: small.built(small.SMALL), 0),
        ("branches", drawn_branches, 2),
    ],
)
def test_the_values_stay(name, build, left):
    module, x = block_module(build(), ["x"], dtype=torch.float64).eval(), inputs(name)
    norms, steps = len(list(batch_norms(module))), calls(module)
    convolutions = [node.target for node in module.graph.nodes].count(convolution)
    with torch.no_grad():
        expected = module(x.double() if x.is_floating_point() else x)
        fold_norms(module)
        found = module(x.double() if x.is_floating_point() else x)
    for ours, theirs in zip(found, expected):
        assert (ours - theirs).abs().max() <= 1e-12 * theirs.abs().max()
    assert len(list(batch_norms(module))) == left and norms > left
    assert [node.target for node in module.graph.nodes].count(convolution) == convolutions
    assert calls(module) == steps - norms + left
