"""Graphs as modules: names, parameters and buffers, types; every network and loss of the package is known."""

from __future__ import annotations

import copy
import gc
import weakref

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.graph.trace import arrays, trace, trained_names
from gluon_yolo.losses import make_loss
from gluon_yolo.models.decode import Decode
from gluon_yolo.mxnet_compat import gluon, nd
from gluon_yolo.spec import BOX_LOSSES
from gluon_yolo.training.freeze import freeze
from tests.judged_networks import NETWORKS, find
from tests.models.darknet import small
from tests.random_model import random_detector, random_image

torch = pytest.importorskip("torch", reason="the second engine needs PyTorch")

from gluon_yolo.pytorch.module import block_module  # noqa: E402
from gluon_yolo.pytorch.operators import operator_of  # noqa: E402


def test_parameters_have_the_networks_names_and_what_is_frozen_is_none():
    net = random_detector()
    module = block_module(net, ["pixels"])
    assert {name for name, _ in module.named_parameters()} == trained_names(net)
    others = {name for name, _ in module.named_buffers()}
    assert others == arrays(net).keys() - trained_names(net)
    freeze(net, ["backbone"])
    again = block_module(net, ["pixels"])
    assert {name for name, _ in again.named_parameters()} == trained_names(net)
    assert again.state_dict().keys() == module.state_dict().keys()


def test_values_are_copies_and_those_of_the_network():
    net, pixels = random_detector(), random_image(64, 96)[None]
    module = block_module(net, ["pixels"]).eval()
    expected = [raw.asnumpy() for raw in net(nd.array(pixels, dtype="uint8"))]
    for name, parameter in net._collect_params_with_prefix().items():
        if name.endswith(".weight"):
            parameter.set_data(parameter.data() * 0)
    with torch.no_grad():
        for version in (module, copy.deepcopy(module)):
            for ours, theirs in zip(version(torch.from_numpy(pixels)), expected):
                assert np.abs(ours.numpy() - theirs).max() <= 1e-5 * np.abs(theirs).max()


def test_a_module_is_freed_at_once():
    """Without the collector of garbage, which may come after a hundred modules."""
    module = block_module(random_detector(), ["pixels"])
    module(torch.zeros(1, 64, 64, 3))[0].sum().backward()
    array = weakref.ref(next(module.parameters()))
    gc.collect()
    gc.disable()
    try:
        del module
        assert array() is None
    finally:
        gc.enable()


def test_float64_is_float64_throughout():
    """From the pixels on: 1 / 255 in float32 has an error of 1e-8."""
    net, pixels = random_detector(), random_image(64, 96)[None]
    module = block_module(net, ["pixels"], dtype=torch.float64)
    maps = module(torch.from_numpy(pixels))
    assert {tensor.dtype for tensor in [*maps, *module.parameters()]} == {torch.float64}
    net.cast("float64")
    first = block_module(net.normalize, ["pixels"], dtype=torch.float64)(torch.from_numpy(pixels))[0].numpy()
    mean, std = (array.data().asnumpy() for array in (net.normalize.mean, net.normalize.std))
    right = (pixels.transpose(0, 3, 1, 2) / 255 - mean.astype(np.float64)) / std.astype(np.float64)
    assert np.abs(first - right).max() < 1e-14


def test_dropout_drops_in_training_only():
    net = small.built(small.NET + small.BACKBONE + "\n[dropout]\nprobability=.5\n" + small.YOLO)
    module, pixels = block_module(net, ["pixels"]), torch.from_numpy(random_image(64, 64)[None])
    torch.manual_seed(0)
    with torch.no_grad():
        first, second = module(pixels), module(pixels)
        assert not torch.equal(first[0], second[0])
        module.eval()
        assert torch.equal(module(pixels)[0], module(pixels)[0])


class Wave(gluon.HybridBlock):
    def hybrid_forward(self, F, x):
        return F.sin(x, name="wave")


def test_an_unknown_operator_is_refused_before_anything_runs():
    with pytest.raises(UserError, match=r"operator sin \(.*wave\) has no counterpart; use mxnet"):
        block_module(Wave(), ["x"])


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_known_with_its_losses(name, shared_data):
    net = find(name, shared_data)[0].build()
    maps = [f"raw_{level}" for level in range(net.spec.num_levels)]
    graphs = [trace(net, ["pixels"]), trace(Decode(net.spec), maps)]
    for box_loss in BOX_LOSSES:
        try:
            loss = make_loss(net.spec, box_loss, 0.1)
        except UserError:
            assert box_loss == "yolo3" and net.spec.score_rule != "objectness_times_class"
            continue
        graphs.append(trace(loss, [*maps, "targets"]))
    assert len(graphs) >= 6
    for graph in graphs:
        for node in graph.nodes:
            assert node.is_variable or operator_of(graph, node)
