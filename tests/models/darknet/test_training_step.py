"""A backward pass through every published cfg: mxnet's kernels fail for some widths, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.models.build import find_architecture
from gluon_yolo.mxnet_compat import autograd, nd
from gluon_yolo.weights.load import structural_parameters
from tests.models.darknet import small

FOLDERS = ("nano-coco", "nano-voc", "fastest-voc", "yoloface-500k", "yoloface-100k", "yoloface-50k")


@pytest.mark.parametrize("hybrid", [False, True])
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_gradient_is_a_number(folder, hybrid, shared_data):
    net = find_architecture(str(small.only(shared_data / "darknet" / folder, "*.cfg"))).build()
    net.initialize_weights(seed=0)
    net.hybridize(hybrid)
    with autograd.record():
        total = sum((raw**2).mean() for raw in net(nd.random.uniform(0, 255, (2, 64, 64, 3))))
    total.backward()
    gradients = {
        name: parameter.grad().asnumpy()
        for name, parameter in structural_parameters(net).items()
        if parameter.grad_req != "null"
    }
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())
    assert sum(gradient.any() for gradient in gradients.values()) > 0.9 * len(gradients)


def test_routes_of_uneven_widths_give_the_right_gradient():
    """24 and 8 channels before a convolution; the gradient of a sum for each part is computed by hand."""
    text = (
        small.NET
        + small.BACKBONE
        + small.BACKBONE.replace("filters=8", "filters=24").replace("stride=2", "stride=1")
        + "[route]\nlayers=-1,0\n"
        + small.YOLO
    )
    net = small.built(text)
    weight = structural_parameters(net)["layer3.convolution.weight"].data()
    joined = nd.random.uniform(-1, 1, (1, 32, 16, 32))
    parts = [joined[:, :24].copy(), joined[:, 24:].copy()]
    for part in parts:
        part.attach_grad()
    with autograd.record():
        net._blocks[3](net._blocks[2](*parts)).sum().backward()
    expected = weight.asnumpy().sum(axis=0)[:, 0, 0]
    for part, columns in zip(parts, (slice(0, 24), slice(24, 32))):
        wanted = np.broadcast_to(expected[columns, None, None], part.shape[1:])
        np.testing.assert_allclose(part.grad.asnumpy()[0], wanted, atol=1e-4)
