"""Steps of a graph that slide a window over a map, as TensorFlow Lite's operators, and their padding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon_yolo.exporters.ir.graph import Node
from gluon_yolo.exporters.ir.unwritable import Unwritable
from gluon_yolo.exporters.tflite.arrays import Array, Arrays
from gluon_yolo.exporters.tflite.file import schema

_FUSED = {
    "": schema.ActivationFunctionType.NONE,
    "relu": schema.ActivationFunctionType.RELU,
    "relu6": schema.ActivationFunctionType.RELU6,
}
_LOWEST = float(np.finfo(np.float32).min)


def convolution(
    build: Arrays, node: Node, array: Array, weights: Sequence[np.ndarray], fused: str, name: str
) -> Array:
    """Append a convolution; with as many groups as channels it is TFLite's depthwise one.

    Args:
        build: has the map that it reads.
        node: the step.
        array: the map.
        weights: the kernel, and the bias if there is one.
        fused: an activation that becomes part of it, ``relu`` or ``relu6``.
        name: of the result.
    """
    kernel, bias = weights[0], weights[1] if len(weights) > 1 else np.zeros(len(weights[0]), np.float32)
    stride, dilation, groups = (node.attributes[key] for key in ("stride", "dilation", "groups"))
    array, same, sides = _padded(build, node, array, kernel.shape[2:], stride, dilation, "PAD")
    options: dict[str, Any] = {
        "padding": schema.Padding.SAME if same else schema.Padding.VALID,
        "strideH": stride[0],
        "strideW": stride[1],
        "dilationHFactor": dilation[0],
        "dilationWFactor": dilation[1],
        "fusedActivationFunction": _FUSED[fused],
    }
    depthwise = groups > 1 and kernel.shape[1] == 1
    if depthwise:
        options["depthMultiplier"] = len(kernel) // groups
    # Weights (O, C / groups, kernel height, kernel width) lie as O, height, width, C / groups; those of a
    # depthwise convolution as 1, height, width, O.
    axes = (1, 2, 3, 0) if depthwise else (0, 2, 3, 1)
    places = build.weights(node.inputs[1], kernel, axes, node.name, bias, array)
    kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    shape = (array.shape[0], len(kernel), *sides)
    return build.add(kind, [array], name, shape, more=places, native=array.scale is not None, **options)


def channels_of(build: Arrays, node: Node, array: Array, chosen: range) -> Array:
    """Append a 1x1 convolution that returns every n-th channel of a map as it is.

    STRIDED_SLICE does it too. In LiteRT 2.3 Yolo-FastestV2's channel shuffles then take longer than all its
    convolutions.
    """
    kernel = np.zeros((len(chosen), array.shape[1], 1, 1), dtype=np.float32)
    kernel[np.arange(len(chosen)), chosen] = 1
    bias = np.zeros(len(chosen), dtype=np.float32)
    name = f"channels_{chosen.start}_{chosen.stop}_{chosen.step}_of_{array.shape[1]}"
    places = build.weights(name, kernel, (0, 2, 3, 1), node.name, bias, array)
    options = {"padding": schema.Padding.VALID, "strideH": 1, "strideW": 1}
    shape = (array.shape[0], len(chosen), *array.shape[2:])
    return build.like("CONV_2D", array, node.name, shape, more=places, **options)


def max_pool(build: Arrays, node: Node, arrays: Sequence[Array], weights: Sequence[np.ndarray]) -> Array:
    """Append a maximum over windows; what is padded never is one."""
    kernel, stride = node.attributes["kernel"], node.attributes["stride"]
    array, same, sides = _padded(build, node, arrays[0], kernel, stride, (1, 1), "PADV2")
    options = _windows(kernel, stride, same)
    return build.like("MAX_POOL_2D", array, node.name, (*array.shape[:2], *sides), **options)


def average_pool(build: Arrays, node: Node, arrays: Sequence[Array], weights: Sequence[np.ndarray]) -> Array:
    """Append a mean over windows. It counts the zeros of the padding, which TFLite's SAME does not."""
    kernel, stride = node.attributes["kernel"], node.attributes["stride"]
    array, same, sides = _padded(build, node, arrays[0], kernel, stride, (1, 1), "PAD", counted=True)
    options = _windows(kernel, stride, same)
    return build.add("AVERAGE_POOL_2D", [array], node.name, (*array.shape[:2], *sides), **options)


def _windows(kernel: Sequence[int], stride: Sequence[int], same: bool) -> dict[str, Any]:
    """Return the options of a pool."""
    return {
        "padding": schema.Padding.SAME if same else schema.Padding.VALID,
        "strideH": stride[0],
        "strideW": stride[1],
        "filterHeight": kernel[0],
        "filterWidth": kernel[1],
    }


def _padded(
    build: Arrays,
    node: Node,
    array: Array,
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    pad: str,
    counted: bool = False,
) -> tuple[Array, bool, tuple[int, int]]:
    """Return a padded map, whether TFLite's padding SAME covers the rest, and the sides of the result.

    With ``counted`` SAME pads nothing: what it pads is left out of a mean.

    SAME gives as many windows as the stride fits in a side, and pads evenly, the odd one behind; mxnet's
    padding of a 3x3 convolution with stride 2 is another one.
    """
    top, left, bottom, right = node.attributes["padding"]
    same, valid, sides, amounts = True, True, [], []
    for side, size, step, apart, before, behind in zip(
        array.shape[2:], kernel, stride, dilation, (top, left), (bottom, right)
    ):
        reach = (size - 1) * apart + 1
        count = (side + before + behind - reach) // step + 1
        if count < 1:
            raise Unwritable(f"a window of {reach} in a side of {side}")
        needed = max((count - 1) * step + reach - side - before, 0)
        total = max((math.ceil(side / step) - 1) * step + reach - side, 0)
        same = same and count == math.ceil(side / step) and before == total // 2
        valid = valid and not before and not needed
        sides.append(count)
        amounts.append((before, needed))
    same = same and not (counted and any(map(any, amounts)))
    if same or valid:
        return array, same, (sides[0], sides[1])
    return _pad(build, array, f"{node.name}_padded", amounts, pad), False, (sides[0], sides[1])


def _pad(build: Arrays, array: Array, name: str, amounts: Sequence[tuple[int, int]], kind: str) -> Array:
    """Pad a map with zeros (``PAD``), or with the lowest number (``PADV2``)."""
    numbers = np.array([(0, 0), *amounts, (0, 0)], dtype=np.int32)
    more = [build.file.constant(f"{name}_amounts", numbers)]
    if kind == "PADV2" and array.scale is None:
        more.append(build.file.constant("lowest", np.array([_LOWEST], dtype=np.float32)))
    elif kind == "PADV2":
        lowest = np.array([np.iinfo(np.int8).min], dtype=np.int8)
        more.append(build.file.constant(f"{name}_lowest", lowest, array.scale))
    (top, bottom), (left, right) = amounts
    batch, channels, height, width = array.shape
    shape = (batch, channels, height + top + bottom, width + left + right)
    return build.like(kind, array, name, shape, more=more)
