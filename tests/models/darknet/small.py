"""A small cfg, and random weights for any network that keep the size of its maps near one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from gluon_yolo.models.darknet.cfg import Cfg, parse_cfg
from gluon_yolo.models.darknet.network import DarknetNetwork, build
from gluon_yolo.models.darknet.plan import Plan, make_plan
from gluon_yolo.mxnet_compat import autograd, mx, nd
from tests.random_model import random_image

NET = "[net]\nwidth=64\nheight=32\nchannels=3\n"
BACKBONE = """
[convolutional]
filters=8
size=3
stride=2
pad=1
batch_normalize=1
activation=leaky
"""
YOLO = """
[convolutional]
filters=14
size=1
stride=1
pad=1
activation=linear

[yolo]
mask=1,2
anchors=4,6, 10,14, 23,27
classes=2
num=3
ignore_thresh=.7
"""
# A head for maps of any size and number of channels.
TAIL = "[avgpool]\n" + YOLO
SMALL = NET + BACKBONE + YOLO


def parsed(text: str) -> Cfg:
    return parse_cfg(text.splitlines(), "small.cfg")


def planned(text: str) -> Plan:
    return make_plan(parsed(text))


def plan_of(text: str) -> Plan:
    """Return the plan of a cfg, which may have no head."""
    plan = planned(text + TAIL)
    return dataclasses.replace(plan, layers=plan.layers[:-3])


def built(text: str, **options) -> DarknetNetwork:
    """Build the network of a cfg with random weights."""
    net = build(planned(text), **options)
    fill(net)
    return net


def fill(net: DarknetNetwork, images: mx.nd.NDArray | None = None, seed: int = 0) -> None:
    """Draw weights; batch normalisation gets these images' statistics, so that maps do not vanish.

    Args:
        net: the network.
        images: (B, H, W, 3); None is a random one.
        seed: of the weights.
    """
    images = pixels(net.plan) if images is None else images
    net.initialize_weights(seed=seed)
    rng = np.random.default_rng(seed)
    for layer, block in net.convolutions:
        if layer.normalized:
            channels = layer.output.channels
            block.norm.gamma.set_data(nd.array(rng.uniform(0.8, 1.2, channels)))
            block.norm.beta.set_data(nd.array(rng.uniform(-0.2, 0.2, channels)))
            block.norm._kwargs["momentum"] = 0  # the statistics of these images only
        else:
            block.convolution.bias.set_data(nd.array(rng.normal(0, 0.5, layer.output.channels)))
            fan_in = np.prod(layer.weight_shape[1:])
            block.convolution.weight.set_data(nd.array(rng.normal(0, 0.5 * fan_in**-0.5, layer.weight_shape)))
    with autograd.record():
        total = sum(raw.mean() for raw in net(images))
    total.backward()  # mxnet writes the statistics in the backward pass
    mx.nd.waitall()
    for layer, block in net.convolutions:
        if layer.normalized:
            block.norm._kwargs["momentum"] = 0.9
            # A channel with a tiny variance would magnify rounding errors.
            variance = block.norm.running_var.data()
            block.norm.running_var.set_data(mx.nd.maximum(variance, variance.mean()))


def pixels(plan: Plan, seed: int = 0) -> mx.nd.NDArray:
    """Return one random image (1, H, W, 3) uint8 of the cfg's size."""
    image = random_image(plan.image.height, plan.image.width, seed)
    return nd.array(image[None], dtype="uint8")


def resized(cfg: Cfg, side: int | None) -> Cfg:
    """Return the cfg for a square input of another size; None does not change it."""
    return cfg if side is None else cfg.replaced([(0, {"width": str(side), "height": str(side)})])


def yolo_places(cfg: Cfg) -> list[int]:
    return [place for place, section in enumerate(cfg.sections) if section.name == "yolo"]


def only(folder: Path, pattern: str) -> Path:
    """Return the only file that matches."""
    (found,) = folder.glob(pattern)
    return found
