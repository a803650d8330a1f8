"""ncnn operators: each step of an InferenceGraph as ncnn layers.

The parameters are those of docs/developer-guide/operators.md of github.com/Tencent/ncnn. Only those that the
releases of 2022 support are used, because distributions have old releases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Callable

import numpy as np

from gluon_yolo.exporters.ir.graph import INPUT, Node
from gluon_yolo.exporters.ir.unwritable import Unwritable, naming
from gluon_yolo.exporters.ncnn.layers import NcnnBuilder

# By the steps of an activation: ncnn's activation_type and its parameters, which can be part of a
# convolution.
FUSED: Mapping[tuple[str, ...], Callable[[Node], tuple[int, tuple[float, ...]]]] = {
    ("relu",): lambda node: (1, ()),
    ("leaky_relu",): lambda node: (2, (float(node.attributes["slope"]),)),
    ("clip",): lambda node: (3, (float(node.attributes["min"]), float(node.attributes["max"]))),
    ("sigmoid",): lambda node: (4, ()),
    ("softplus", "tanh", "multiply"): lambda node: (5, ()),  # Mish: x tanh(log(1 + exp(x)))
}


def add_step(
    build: NcnnBuilder,
    node: Node,
    arrays: Sequence[str],
    weights: Sequence[np.ndarray],
    activation: Sequence[Node] = (),
) -> str:
    """Append the ncnn layers of a step, and return the name of the output blob.

    Args:
        build: has the layers whose blobs the step reads.
        node: the step.
        arrays: names of these blobs.
        weights: of the step.
        activation: steps after a convolution that become part of it, a key of ``FUSED``.

    Raises:
        UserError: ncnn has no layer for the step.
    """
    with naming(node, "ncnn"):
        if node.op == "convolution":
            return _convolution(build, node, arrays, weights, activation)
        if node.op not in _WRITERS:
            raise Unwritable("ncnn has no layer for it that is known here")
        return _WRITERS[node.op](build, node, arrays, weights)


Writer = Callable[[NcnnBuilder, Node, Sequence[str], Sequence[np.ndarray]], str]


def _planes(build: NcnnBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
    """Add the input, which is a map already: Mat::from_pixels has done this step."""
    return build.add("Input", INPUT, (), channels=3)


def _convolution(
    build: NcnnBuilder,
    node: Node,
    arrays: Sequence[str],
    weights: Sequence[np.ndarray],
    activation: Sequence[Node],
) -> str:
    kernel, *bias = weights
    (top, left, bottom, right), groups = node.attributes["padding"], node.attributes["groups"]
    numbers = {
        0: len(kernel),
        **_down_across(kernel.shape[2:], 11, 1),
        **_down_across(node.attributes["dilation"], 12, 2),
        **_down_across(node.attributes["stride"], 13, 3),
        **{4: left, 14: top, 15: right, 16: bottom, 5: len(bias), 6: kernel.size},
    }
    if groups > 1:
        numbers[7] = groups
    if activation:
        numbers[9], parameters = FUSED[tuple(step.op for step in activation)](activation[0])
        if parameters:
            numbers[10] = parameters
    kind = "Convolution" if groups == 1 else "ConvolutionDepthWise"
    return build.add(kind, node.name, arrays, numbers, len(kernel), kernel, bias)


def _affine(build: NcnnBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
    channels = build.channels[arrays[0]]
    scale, shift = (np.broadcast_to(numbers, channels) for numbers in weights)
    shifts = [shift] if shift.any() else []
    return build.add("Scale", node.name, arrays, {0: channels, 1: len(shifts)}, weights=[scale, *shifts])


def _prelu(build: NcnnBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
    return build.add("PReLU", node.name, arrays, {0: weights[0].size}, weights=weights)


def _flat(build: NcnnBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
    if node.attributes["shape"] != (0, -1):
        raise Unwritable(f"shape={node.attributes['shape']}")
    return build.add("Reshape", node.name, arrays, {0: -1}, 1)


def _average_pool(
    build: NcnnBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]
) -> str:
    return build.add("Pooling", node.name, arrays, {**_windows(node), 0: 1, 6: 1})


def _max_pool(build: NcnnBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
    return build.add("Pooling", node.name, arrays, {**_windows(node), 0: 0})


def _windows(node: Node) -> dict[int, int]:
    """Return the windows of a pooling by ncnn's indices."""
    top, left, bottom, right = node.attributes["padding"]
    return {
        **_down_across(node.attributes["kernel"], 11, 1),
        **_down_across(node.attributes["stride"], 12, 2),
        **{3: left, 13: top, 14: right, 15: bottom},
        5: 1,  # exactly this padding; incomplete windows are left out
    }


def _global_average_pool(
    build: NcnnBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]
) -> str:
    row = build.add("Pooling", f"{node.name}_row", arrays, {0: 1, 4: 1})
    return build.add("Reshape", node.name, (row,), {0: 1, 1: 1, 2: -1})  # a vector to a map of 1x1


def _upsample(build: NcnnBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
    factor = float(node.attributes["factor"])
    return build.add("Interp", node.name, arrays, {0: 1, 1: factor, 2: factor})


def _concat(build: NcnnBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
    _along_channels(node)
    return build.add("Concat", node.name, arrays, {0: 0}, sum(build.channels[name] for name in arrays))


def _slice(build: NcnnBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
    """Add a crop for a range of channels; every n-th channel becomes a range by a channel shuffle."""
    _along_channels(node)
    begin, end, step = (node.attributes[key] for key in ("begin", "end", "step"))
    source, channels = arrays[0], build.channels[arrays[0]]
    if step > 1:
        if channels % step or begin >= step or end != channels:
            raise Unwritable(f"channels {begin} to {end} by {step} of {channels}")
        sorted_by = f"{source}_by_{step}"
        if sorted_by not in build.channels:
            build.add("ShuffleChannel", sorted_by, (source,), {0: step, 1: 1})
        source, count = sorted_by, channels // step
        begin, end = begin * count, (begin + 1) * count
    return build.add("Crop", node.name, (source,), {9: (begin,), 10: (end,), 11: (0,)}, end - begin)


def _simple(kind: str, numbers: Mapping[int, str] | None = None) -> Writer:
    """Return a writer of a layer whose parameters are attributes of the step."""

    def write(build: NcnnBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
        values = {index: float(node.attributes[name]) for index, name in (numbers or {}).items()}
        return build.add(kind, node.name, arrays, values)

    return write


def _of_two(operation: int) -> Writer:
    """Return a writer of ncnn's BinaryOp."""

    def write(build: NcnnBuilder, node: Node, arrays: Sequence[str], weights: Sequence[np.ndarray]) -> str:
        if weights:
            raise Unwritable("a factor that is a weight")
        channels = max(build.channels[name] for name in arrays)
        return build.add("BinaryOp", node.name, arrays, {0: operation}, channels)

    return write


_WRITERS: Mapping[str, Writer] = {
    "planes": _planes,
    "affine": _affine,
    "relu": _simple("ReLU"),
    "leaky_relu": _simple("ReLU", {0: "slope"}),
    "prelu": _prelu,
    "reshape": _flat,
    "elu": _simple("ELU", {0: "alpha"}),
    "clip": _simple("Clip", {0: "min", 1: "max"}),
    "sigmoid": _simple("Sigmoid"),
    "tanh": _simple("TanH"),
    "softplus": _simple("Softplus"),
    "max_pool": _max_pool,
    "average_pool": _average_pool,
    "global_average_pool": _global_average_pool,
    "upsample": _upsample,
    "concat": _concat,
    "slice": _slice,
    "add": _of_two(0),
    "subtract": _of_two(1),
    "multiply": _of_two(2),
}


def _down_across(pair: Sequence[int], down: int, across: int) -> dict[int, int]:
    """Return two numbers, vertical and horizontal, by their ncnn indices."""
    return {across: pair[1], down: pair[0]}


def _along_channels(node: Node) -> None:
    if node.attributes["axis"] != 1:
        raise Unwritable(f"axis={node.attributes['axis']}")
