"""Networks of every family, with their authors' weights, or with random ones that keep maps near one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gluon_yolo.models.build import Architecture, find_architecture
from gluon_yolo.models.darknet.network import DarknetNetwork
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.mxnet_compat import autograd, gluon, mx
from gluon_yolo.weights.load import load_weights
from tests.models.darknet import small
from tests.random_model import random_image

ZOO = (
    *("yolo3_mobilenet1.0", "yolo3_mobilenet0.75", "yolo3_mobilenet0.5", "yolo3_mobilenet0.25"),
    *("yolo3_mobilenetv2_1.0", "yolo3_mobilenetv2_0.75", "yolo3_mobilenetv2_0.5", "yolo3_mobilenetv2_0.25"),
    *("yolo3_darknet53", "yolo_fastestv2"),
)


def settled(name: str, class_names=None, seed: int = 0) -> DetectionNetwork:
    """Build a network with random weights, and with an image's statistics in its batch normalisation.

    Args:
        name: as for ``find_architecture``.
        class_names: as for ``Architecture.build``.
        seed: of the weights.
    """
    net = find_architecture(name).build(class_names)
    image = mx.nd.array(random_image(96, 128, seed)[None], dtype="uint8")
    if isinstance(net, DarknetNetwork):
        small.fill(net, image, seed)
        return net
    net.initialize_weights(seed=seed)
    rng = np.random.default_rng(seed)
    for place, parameter in net._collect_params_with_prefix().items():
        if place.endswith("gamma"):
            parameter.set_data(mx.nd.array(rng.uniform(0.8, 1.2, parameter.shape)))
        elif place.endswith("beta"):
            parameter.set_data(mx.nd.array(rng.uniform(-0.2, 0.2, parameter.shape)))
        elif place.startswith("heads.") and place.endswith("bias"):
            parameter.set_data(mx.nd.array(rng.normal(0, 0.5, parameter.shape)))
        elif place.startswith("heads."):
            scale = 0.5 * np.prod(parameter.shape[1:]) ** -0.5
            parameter.set_data(mx.nd.array(rng.normal(0, scale, parameter.shape)))
    _settle(net, image)
    return net


def trained(name: str, shared_data: Path) -> DetectionNetwork:
    """Build a darknet network of the shared data, with its weights."""
    cfg = small.only(shared_data / "darknet" / name, "*.cfg")
    return _with_weights(find_architecture(str(cfg)), cfg.with_suffix(".weights"))


def trained_fastestv2(shared_data: Path) -> DetectionNetwork:
    """Build Yolo-FastestV2 with its author's weights for COCO."""
    weights = small.only(shared_data / "fastestv2", "coco*.pth")
    return _with_weights(find_architecture("yolo_fastestv2_coco"), weights)


def _with_weights(known: Architecture, weights: Path) -> DetectionNetwork:
    net = known.build()
    net.initialize_weights()
    load_weights(net, weights)
    return net


def _settle(net: DetectionNetwork, images: mx.nd.NDArray) -> None:
    """Set running statistics to these images'; a channel with a tiny variance gets the others' variance."""
    norms: list = []
    net.apply(lambda block: norms.append(block) if isinstance(block, gluon.nn.BatchNorm) else None)
    momenta = [norm._kwargs["momentum"] for norm in norms]
    for norm in norms:
        norm._kwargs["momentum"] = 0
    with autograd.record():
        total = sum(raw.mean() for raw in net(images))
    total.backward()  # mxnet writes the statistics in the backward pass
    mx.nd.waitall()
    for norm, momentum in zip(norms, momenta):
        norm._kwargs["momentum"] = momentum
        variance = norm.running_var.data()
        norm.running_var.set_data(mx.nd.maximum(variance, variance.mean()))
