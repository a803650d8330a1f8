"""The fused kernel of batch normalisation and ReLU: the same values, in training only, never in an export."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.models import zoo
from gluon_yolo.models.layers import fuse_for_training
from gluon_yolo.mxnet_compat import autograd, mx, nd
from gluon_yolo.weights.load import structural_parameters
from tests.random_model import random_detector

KERNEL = "BatchNormWithReLU"


def test_fused_training_gives_the_same_gradients_and_statistics():
    plain, fused = random_detector(seed=3), random_detector(seed=3)
    fuse_for_training(fused)
    pixels = nd.random.uniform(0, 255, (2, 64, 96, 3))
    for net in (plain, fused):
        net.hybridize(static_alloc=True)
        with autograd.record():
            loss = sum((raw**2).mean() for raw in net(pixels))
        loss.backward()
    assert KERNEL in fused._cached_graph[1].tojson()
    expected, actual = structural_parameters(plain), structural_parameters(fused)
    for name, parameter in expected.items():
        if "running" in name:
            got, wanted = actual[name].data(), parameter.data()
        else:
            got, wanted = actual[name].grad(), parameter.grad()
        scale = np.abs(wanted.asnumpy()).max()
        np.testing.assert_allclose(got.asnumpy(), wanted.asnumpy(), atol=1e-5 * scale, err_msg=name)


def test_fused_network_is_plain_to_everyone_but_its_trainer():
    net = random_detector()
    fuse_for_training(net)
    assert KERNEL not in mx.sym.Group(net(mx.sym.var("data"))).tojson()


def test_only_plain_batch_norm_is_fused():
    for norm in ("sync", "frozen"):
        net = random_detector(norm=norm)
        fuse_for_training(net)
        with autograd.record():
            assert KERNEL not in mx.sym.Group(net(mx.sym.var("data"))).tojson()


@pytest.mark.parametrize("architecture", ["yolo3_mobilenet1.0", "yolo3_mobilenet0.75", "yolo3_mobilenet0.5"])
def test_backward_pass_of_every_width(architecture):
    """The kernel fails for some widths, in its backward pass only, such as those of mobilenet0.75."""
    net = zoo.build(f"{architecture}_custom", ["cell", "star", "egg"])
    net.initialize_weights(seed=0)
    fuse_for_training(net)
    with autograd.record():
        total = sum(raw.mean() for raw in net(nd.random.uniform(0, 255, (1, 96, 96, 3))))
    total.backward()
    for name, parameter in structural_parameters(net).items():
        if parameter.grad_req != "null":
            assert np.isfinite(parameter.grad().asnumpy()).all(), name
