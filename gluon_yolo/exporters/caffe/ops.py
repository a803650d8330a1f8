"""Caffe's operators: each step of an InferenceGraph as layers of BVLC's Caffe.

Only layers and parameters that BVLC's Caffe, OpenCV 4, MNN's converter and caffe2ncnn read alike are used.
What has no layer of its own is composed of those: see ``_clip``, ``_spread``, ``_slice`` and ``windows.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

import numpy as np

from gluon_yolo.exporters.caffe.layers import CaffeBuilder, Shape
from gluon_yolo.exporters.caffe.windows import add_average_pool, add_max_pool, same_padding
from gluon_yolo.exporters.ir.graph import Node
from gluon_yolo.exporters.ir.unwritable import Unwritable, naming


def add_step(build: CaffeBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
    """Append the Caffe layers of a step, and return the name of the output blob.

    Args:
        build: has the layers whose blobs the step reads.
        node: the step; its last layer has its name.
        arrays: names of these blobs.
        weights: of the step.

    Raises:
        UserError: Caffe has no layer for the step.
    """
    with naming(node, "Caffe"):
        if node.op not in _WRITERS:
            raise Unwritable(_WHY.get(node.op, "Caffe has no layer for it"))
        return _WRITERS[node.op](build, node, arrays, weights)


Writer = Callable[[CaffeBuilder, Node, Sequence[str], Sequence[np.ndarray]], str]
_WHY = {"softplus": "only tanh(softplus(x)), which is a part of Mish, has layers there that all readers know"}


def add_tanh_of_softplus(build: CaffeBuilder, name: str, array: str) -> str:
    """Append tanh(log(1 + exp(x))), of which Mish is made.

    With q = sigmoid(-x) = 1 / (1 + exp(x)) it is 2 / (1 + q * q) - 1, which no x makes overflow.
    """
    negative = build.add("Power", f"{name}_negative", (array,), scale=-1.0)
    q = build.add("Sigmoid", f"{name}_sigmoid", (negative,))
    square = build.add("Power", f"{name}_square", (q,), power=2.0)
    inverse = build.add("Power", f"{name}_inverse", (square,), power=-1.0, shift=1.0)
    return build.add("Power", name, (inverse,), scale=2.0, shift=-1.0)


def _convolution(
    build: CaffeBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]
) -> str:
    stride, dilation, groups = (node.attributes[key] for key in ("stride", "dilation", "groups"))
    pad = same_padding(node)
    kernel, bias = weights if len(weights) > 1 else (weights[0], None)
    places = [
        (length + 2 * more - by * (side - 1) - 1) // step + 1
        for length, more, by, side, step in zip(
            build.shapes[arrays[0]][1:], pad, dilation, kernel.shape[2:], stride
        )
    ]
    return build.add_convolution(
        node.name, arrays[0], kernel, places, bias, groups=groups, stride=stride, pad=pad, dilation=dilation
    )


def _affine(build: CaffeBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
    channels = build.shapes[arrays[0]][0]
    scale, shift = (np.broadcast_to(numbers, channels) for numbers in weights)
    return build.add("Scale", node.name, arrays, weights=(scale, shift), bias_term=True)


def _prelu(build: CaffeBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
    return build.add(
        "PReLU", node.name, arrays, weights=[np.broadcast_to(weights[0], build.shapes[arrays[0]][:1])]
    )


def _clip(build: CaffeBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
    """Add max(x, least) and then min(x, most), which is most - max(most - x, 0).

    ReLU(x) - ReLU(x - most) would be the same, but loses digits where x is large.
    """
    name, array = node.name, arrays[0]
    least, most = float(node.attributes["min"]), float(node.attributes["max"])
    if not np.isfinite(least) and not np.isfinite(most):
        return build.add("Power", name, arrays)
    last = name if not np.isfinite(most) else f"{name}_least"
    if least == 0:
        array = build.add("ReLU", last, (array,))
    elif np.isfinite(least):
        above = build.add("Power", f"{name}_above", (array,), shift=-least)
        above = build.add("ReLU", f"{name}_above_0", (above,))
        array = build.add("Power", last, (above,), shift=least)
    if np.isfinite(most):
        below = build.add("Power", f"{name}_below", (array,), scale=-1.0, shift=most)
        below = build.add("ReLU", f"{name}_below_0", (below,))
        array = build.add("Power", name, (below,), scale=-1.0, shift=most)
    return array


def _global_average_pool(
    build: CaffeBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]
) -> str:
    shape = (build.shapes[arrays[0]][0], 1, 1)
    return build.add("Pooling", node.name, arrays, shape, pool=1, global_pooling=True)


def _upsample(build: CaffeBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
    factor = node.attributes["factor"]
    return _repeat(build, node.name, arrays[0], (factor, factor), stride=factor)


def _repeat(build: CaffeBuilder, name: str, array: str, sides: Sequence[int], stride: int = 1) -> str:
    """Append a Deconvolution of ones that turns each cell into as many as ``sides``, in every channel.

    Args:
        build: has the layer of the array.
        name: of the layer.
        array: name of the blob.
        sides: of the kernel: down and across.
        stride: distance of two cells' copies.
    """
    channels, *lengths = build.shapes[array]
    places = [(length - 1) * stride + side for length, side in zip(lengths, sides)]
    ones = np.ones((channels, 1, *sides))
    return build.add_convolution(
        name, array, ones, places, groups=channels, stride=(stride, stride), kind="Deconvolution"
    )


def _spread(build: CaffeBuilder, name: str, array: str, shape: Shape) -> str:
    """Stretch sides of 1 to those of another blob: Caffe's layers take blobs of one shape."""
    (channels, *sides), own = shape, build.shapes[array]
    if own[0] == 1 < channels:
        ones = np.ones((channels, 1, 1, 1))
        array = build.add_convolution(f"{name}_{array}_channels", array, ones, own[1:])
    if list(own[1:]) != sides:
        if own[1:] != (1, 1):
            raise Unwritable(f"maps of {own[1]}x{own[2]} and {sides[0]}x{sides[1]}")
        array = _repeat(build, f"{name}_{array}_sides", array, sides)
    return array


def _concat(build: CaffeBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
    _along_channels(node)
    channels = sum(build.shapes[array][0] for array in arrays)
    return build.add("Concat", node.name, arrays, (channels, *build.shapes[arrays[0]][1:]), axis=1)


def _slice(build: CaffeBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
    """Add a 1x1 convolution that picks the channels: any range, and every n-th one.

    Caffe's Slice gives the channels that no layer reads too, and they would be outputs of the network.
    """
    _along_channels(node)
    channels, *sides = build.shapes[arrays[0]]
    picked = range(channels)[slice(*(node.attributes[key] for key in ("begin", "end", "step")))]
    kernel = np.eye(channels)[list(picked)].reshape(-1, channels, 1, 1)
    return build.add_convolution(node.name, arrays[0], kernel, sides)


def _flatten(build: CaffeBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
    if tuple(node.attributes["shape"]) != (0, -1):
        raise Unwritable(f"shape={node.attributes['shape']}")
    return build.add("Flatten", node.name, arrays, (int(np.prod(build.shapes[arrays[0]])),))


def _simple(kind: str, fields: Mapping[str, str] | None = None) -> Writer:
    """Return a writer of a layer whose parameters are attributes of the step."""

    def write(build: CaffeBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
        values: dict[str, Any] = {
            field: float(node.attributes[name]) for field, name in (fields or {}).items()
        }
        return build.add(kind, node.name, arrays, **values)

    return write


def _of_two(**values: Any) -> Writer:
    """Return a writer of Caffe's Eltwise, for two blobs of which sides of 1 are stretched."""

    def write(build: CaffeBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
        if weights:
            raise Unwritable("a factor that is a weight")
        shapes = [build.shapes[array] for array in arrays]
        if len({len(shape) for shape in shapes}) > 1:
            raise Unwritable("arrays with other numbers of axes")
        shape = tuple(map(max, *shapes))
        both = [_spread(build, node.name, array, shape) for array in arrays]
        return build.add("Eltwise", node.name, both, **values)

    return write


_WRITERS: Mapping[str, Writer] = {
    "convolution": _convolution,
    "affine": _affine,
    "relu": _simple("ReLU"),
    "leaky_relu": _simple("ReLU", {"negative_slope": "slope"}),
    "prelu": _prelu,
    "elu": _simple("ELU", {"alpha": "alpha"}),
    "clip": _clip,
    "sigmoid": _simple("Sigmoid"),
    "tanh": _simple("TanH"),
    "max_pool": lambda build, node, arrays, weights: add_max_pool(build, node, arrays[0]),
    "average_pool": lambda build, node, arrays, weights: add_average_pool(build, node, arrays[0]),
    "global_average_pool": _global_average_pool,
    "upsample": _upsample,
    "concat": _concat,
    "slice": _slice,
    "add": _of_two(operation=1),
    "subtract": _of_two(operation=1, coeff=(1.0, -1.0)),
    "multiply": _of_two(operation=0),
    "reshape": _flatten,
}


def _along_channels(node: Node) -> None:
    if node.attributes["axis"] != 1:
        raise Unwritable(f"axis={node.attributes['axis']}")
