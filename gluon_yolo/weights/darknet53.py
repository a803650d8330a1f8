"""Darknet's YOLOv3 weights, complete or the first layers, as arrays for ``yolo3_darknet53``.

A darknet file has no names: its layers are in the order of ``yolov3.cfg``, where each level is complete with
its head before the next finer one. There are two differences to this package's network:

- Darknet's input is 0..1, this package's is normalised. The first convolution absorbs ``x = mean + std * z``:
  its kernel is multiplied by ``std``, and the contribution of ``mean`` to each output channel is subtracted
  from the running mean. Outside the image darknet's padding is black, and here it is the mean colour. So the
  networks differ at the border; how much this changes deep maps depends on the image.

- Batch normalisation here adds 1e-5 to the variance, and :mod:`gluon_yolo.models.darknet` another number.
  Gamma absorbs the difference, so the statistics stay as they are, and training continues with the same
  function.
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
ANCHORS = 3  # per cell, at every level of yolov3.cfg
_BLOCK = (*(f"body.{index}.0" for index in range(5)), "tip.0")


def read(path: Path, net: Detector) -> ForeignWeights:
    """Read a darknet file for a network.

    Args:
        path: weights of ``yolov3.cfg`` with any number of classes, or its first layers, as in
            ``darknet53.conv.74``.
        net: a ``yolo3_darknet53``; it is not changed.

    Returns:
        The arrays by this package's names. The heads have the number of classes of the file, or of the
        network for a partial file; heads with another number of anchors are left out.

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
    """Return the names of the network's convolutions in the order of a darknet file."""
    backbone = tuple(name for name in net.layer_names if name.startswith("backbone."))
    levels = net.spec.num_levels
    rest: list[str] = []
    for depth in range(levels):
        rest += [f"neck.transitions.{depth - 1}.0"] if depth else []
        rest += [f"neck.blocks.{depth}.{place}" for place in _BLOCK]
        rest.append(f"heads.levels.{levels - 1 - depth}")
    return (*backbone, *rest)


def _shapes(net: Detector, num_classes: int) -> list[LayerShape]:
    """Return the layer shapes of a file with ``num_classes`` classes."""
    parameters = net._collect_params_with_prefix()
    shapes = []
    for index, name in enumerate(layer_names(net)):
        kernel = parameters[f"{name}.weight"].shape
        if name.startswith("heads."):
            kernel = (ANCHORS * (BOX_CHANNELS + num_classes), *kernel[1:])
        shapes.append(LayerShape(index, kernel, not name.startswith("heads."), f"convolution {name}"))
    return shapes


def _num_classes(net: Detector, size: int) -> int:
    """Return the number of classes of a complete file with ``size`` bytes; else the network's."""
    none, one = (4 * sum(shape.count for shape in _shapes(net, count)) for count in (0, 1))
    classes, rest = divmod(size - none, one - none)
    return classes if classes > 0 and not rest else net.spec.num_classes


def _standardised(net: Detector, layer: LayerWeights) -> LayerWeights:
    """Return the first convolution for normalised colours instead of colours in 0..1."""
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
    """Return a layer's arrays by this package's parameter names."""
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
