"""A small detector with random weights that has many detections of all classes."""

from __future__ import annotations

import numpy as np

from gluon_yolo.models import zoo
from gluon_yolo.mxnet_compat import mx

CLASSES = ("circle", "square", "star")


def random_detector(
    name: str = "yolo3_mobilenet0.25_custom", class_names=CLASSES, norm: str = "bn", seed: int = 0
):
    """Build a network whose batch normalisation and heads are no identities, so that errors in them show."""
    net = zoo.build(name, class_names=class_names, norm=norm)
    net.initialize_weights(seed=seed)
    rng = np.random.default_rng(seed)
    for parameter in net.collect_params().values():
        if parameter.name.endswith(("gamma", "running_var")):
            parameter.set_data(mx.nd.array(rng.uniform(0.8, 1.2, parameter.shape)))
        elif parameter.name.endswith(("beta", "running_mean")):
            parameter.set_data(mx.nd.array(rng.uniform(-0.2, 0.2, parameter.shape)))
    for level in net.heads.levels:
        level.weight.set_data(mx.nd.array(rng.normal(0, 0.05, level.weight.shape)))
        level.bias.set_data(mx.nd.array(rng.normal(0, 0.5, level.bias.shape)))
    return net


def random_image(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Draw an image (H, W, 3) uint8 of coarse coloured patches."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), dtype=np.uint8)
    return np.ascontiguousarray(patches.repeat(16, 0).repeat(16, 1)[:height, :width])
