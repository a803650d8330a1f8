"""Darknet's YOLOv3 weights as arrays under the names of our ``yolo3_darknet53``, whole or its first layers.

A darknet file has no names: its layers stand in the order of ``yolov3.cfg``, which goes through a level to
its head before it turns to the next finer one. Two things differ from our network, and are made up for:

- Darknet feeds pixels in 0..1, we standardise them. The first convolution takes over ``x = mean + std * z``:
  its kernel is multiplied by ``std``, and what ``mean`` adds to each output channel is taken from the running
  mean. Where the kernel reaches beyond the image, darknet finds black there and we find the mean colour: at
  the border the networks differ, and to what extent deep maps do is a matter of the image.
- Our batch norm adds 1e-5 to the variance, and :mod:`gluon_yolo.models.darknet` another number. Gamma takes
it over,
  so that all statistics stay what they are and training goes on with the same function.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gluon_yolo.models.darknet.blocks import EPSILON
from gluon_yolo.models.detector import Detector
from gluon_yolo.models.head_layout import BOX_CHANNELS
from gluon_yolo.weights.darknet_file import read_layers
from gluon_yolo.weights.darknet_header import read_parts
from gluon_yolo.weights.darknet_layer import LayerShape, LayerWeights
from gluon_yolo.weights.foreign import ForeignWeights

OUR_EPSILON = 1e-5
ANCHORS = 3  # of a cell, at every level of yolov3.cfg
_BLOCK = (*(f"body.{index}.0" for index in range(5)), "tip.0")


def read(path: Path, net: Detector) -> ForeignWeights:
    """Read a darknet file for a network.

    Args:
        path: weights of ``yolov3.cfg`` with any number of classes, or the first layers of such, as in
            ``darknet53.conv.74``.
        net: a ``yolo3_darknet53``; it is not changed.

    Returns:
        The arrays by our names. The heads have as many classes as the file; those of a partial file, as many
        as the network; those of another number of anchors are left out.

    Raises:
        UserError: the file cannot be read, or is of another network.
    """
    _, numbers = next(read_parts(path))
    shapes = _shapes(net, _num_classes(net, len(numbers)))
    heads = {shape.index: ANCHORS for shape in shapes if not shape.normalized}
    found = read_layers(path, shapes, heads, "YOLOv3 on DarkNet-53")
    arrays: dict[str, np.ndarray] = {}
    for index, name in enumerate(layer_names(net)):
        if index in found.layers and index not in found.other_heads:
            layer = found.layers[index]
            arrays.update(_named(name, _standardised(net, layer) if index == 0 else layer))
    counts = (ANCHORS,) * net.spec.num_levels
    if not found.other_heads:
        return ForeignWeights(arrays, counts)
    channels = ", ".join(str(count) for count in dict.fromkeys(found.other_heads.values()))
    why = f"the heads: {channels} channels, which are not of {ANCHORS} anchors a cell"
    if found.rest:
        why = f"the heads: the file goes on for {found.rest} bytes behind them"
    misfit = f"{path}: has all layers of {net.zoo_name} but {why}; name its own cfg with {{network}} FILE.cfg"
    return ForeignWeights(arrays, counts, None, (why,), misfit)


def layer_names(net: Detector) -> tuple[str, ...]:
    """Return the places of the convolutions in the network, in the order of a darknet file."""
    backbone = tuple(name for name in net.layer_names if name.startswith("backbone."))
    levels = net.spec.num_levels
    rest: list[str] = []
    for depth in range(levels):
        rest += [f"neck.transitions.{depth - 1}.0"] if depth else []
        rest += [f"neck.blocks.{depth}.{place}" for place in _BLOCK]
        rest.append(f"heads.levels.{levels - 1 - depth}")
    return (*backbone, *rest)


def _shapes(net: Detector, num_classes: int) -> list[LayerShape]:
    """Return what a file with so many classes holds."""
    parameters = net._collect_params_with_prefix()
    shapes = []
    for index, name in enumerate(layer_names(net)):
        kernel = parameters[f"{name}.weight"].shape
        if name.startswith("heads."):
            kernel = (ANCHORS * (BOX_CHANNELS + num_classes), *kernel[1:])
        shapes.append(LayerShape(index, kernel, not name.startswith("heads."), f"convolution {name}"))
    return shapes


def _num_classes(net: Detector, size: int) -> int:
    """Return the classes of a whole file of so many bytes; where it is none, the network's."""
    none, one = (4 * sum(shape.count for shape in _shapes(net, count)) for count in (0, 1))
    classes, rest = divmod(size - none, one - none)
    return classes if classes > 0 and not rest else net.spec.num_classes


def _standardised(net: Detector, layer: LayerWeights) -> LayerWeights:
    """Return the first convolution for standardised colours instead of colours in 0..1."""
    mean, std = (
        constant.value.asnumpy().reshape(1, 3, 1, 1).astype(np.float64)
        for constant in (net.normalize.mean, net.normalize.std)
    )
    shift = (layer.kernel * mean).sum(axis=(1, 2, 3))
    kernel = (layer.kernel * std).astype(np.float32)
    return LayerWeights(
        layer.bias, kernel, layer.gamma, (layer.mean - shift).astype(np.float32), layer.variance
    )


def _named(name: str, layer: LayerWeights) -> Mapping[str, np.ndarray]:
    """Return a layer's arrays by the names of our parameters."""
    if layer.gamma is None or layer.variance is None:
        return {f"{name}.weight": layer.kernel, f"{name}.bias": layer.bias}
    variance = np.maximum(layer.variance, 0)
    scale = np.sqrt((variance.astype(np.float64) + OUR_EPSILON) / (variance.astype(np.float64) + EPSILON))
    norm = f"{name[: -len('.0')]}.1"
    return {
        f"{name}.weight": layer.kernel,
        f"{norm}.gamma": (layer.gamma * scale).astype(np.float32),
        f"{norm}.beta": layer.bias,
        f"{norm}.running_mean": layer.mean,
        f"{norm}.running_var": variance,
    }
