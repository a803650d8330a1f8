"""TensorFlow Lite's operators: each step of an InferenceGraph in them.

A map (B, C, H, W) of the graph lies as (B, H, W, C) in the file, so that no transposition stands between two
layers. Other arrays, those of decoding, lie as the graph has them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from gluon_yolo.exporters.ir.graph import Node
from gluon_yolo.exporters.ir.unwritable import Unwritable, naming
from gluon_yolo.exporters.tflite.activations import (
    Writer,
    clip,
    elu,
    kind_of_clip,
    leaky_relu,
    plain,
    prelu,
    softplus,
)
from gluon_yolo.exporters.tflite.arrays import Array, Arrays
from gluon_yolo.exporters.tflite.windows import average_pool, channels_of, convolution, max_pool

_AXES = (0, 3, 1, 2)  # where the axes B, C, H, W of a map lie in its tensor


def add_step(
    build: Arrays,
    node: Node,
    arrays: Sequence[Array],
    weights: Sequence[np.ndarray],
    fused: str = "",
    name: str = "",
) -> Array:
    """Append the operators of a step, and return its result.

    Args:
        build: has the tensors that the step reads.
        node: the step.
        arrays: that the step reads.
        weights: of the step.
        fused: an activation after a convolution that becomes part of it, ``relu`` or ``relu6``.
        name: of the result where another step is fused.

    Raises:
        UserError: TFLite has no operator for the step.
    """
    name = name or node.name
    if node.op == "planes":  # the input lies as a map already
        return dataclasses.replace(arrays[0], name=name)
    native = {node.name, name} <= build.int8.steps and _has_int8(node)
    given = [build.in_int8(array) if native else build.in_float(array) for array in arrays]
    with naming(node, "TFLite"):
        if node.op == "convolution":
            return convolution(build, node, given[0], weights, fused, name)
        if node.op not in _WRITERS:
            raise Unwritable("TFLite has no operator for it that is known here")
        return dataclasses.replace(_WRITERS[node.op](build, node, given, weights), name=name)


def _has_int8(node: Node) -> bool:
    """Return whether TFLite computes a step in int8."""
    return node.op in _INT8 and (node.op != "clip" or bool(kind_of_clip(node)))


def _affine(build: Arrays, node: Node, arrays: Sequence[Array], weights: Sequence[np.ndarray]) -> Array:
    array, steps = arrays[0], []
    for kind, numbers, nothing in (("MUL", weights[0], 1), ("ADD", weights[1], 0)):
        if (numbers != nothing).any():
            steps.append((kind, numbers))
    for number, (kind, numbers) in enumerate(steps):
        name = node.name if number == len(steps) - 1 else f"{node.name}_scaled"
        shape = (-1,) if array.is_map or numbers.size == 1 else (-1, *[1] * (len(array.shape) - 2))
        term = build.file.constant(f"{name}_term", numbers.reshape(shape))
        array = build.add(kind, [array], name, array.shape, more=[term])
    return array


def _softmax(build: Arrays, node: Node, arrays: Sequence[Array], weights: Sequence[np.ndarray]) -> Array:
    """Append a softmax, which TFLite computes along the last axis."""
    (array,) = arrays
    axis, last = _axis(array, node.attributes["axis"]), len(array.shape) - 1
    if axis == last:
        return build.add("SOFTMAX", [array], node.name, array.shape, beta=1.0)
    order = list(range(last + 1))
    order[axis], order[last] = last, axis
    turned = build.turned(array, order, f"{node.name}_turned")
    turned = build.add("SOFTMAX", [turned], f"{node.name}_along", turned.shape, beta=1.0)
    return build.turned(turned, order, node.name)


def _global_average_pool(
    build: Arrays, node: Node, arrays: Sequence[Array], weights: Sequence[np.ndarray]
) -> Array:
    axes = [build.file.integers(1, 2)]
    return build.add("MEAN", arrays, node.name, (*arrays[0].shape[:2], 1, 1), more=axes, keepDims=True)


def _upsample(build: Arrays, node: Node, arrays: Sequence[Array], weights: Sequence[np.ndarray]) -> Array:
    batch, channels, *sides = arrays[0].shape
    height, width = (side * node.attributes["factor"] for side in sides)
    size = [build.file.integers(height, width)]
    shape = (batch, channels, height, width)
    return build.like("RESIZE_NEAREST_NEIGHBOR", arrays[0], node.name, shape, more=size)


def _concat(build: Arrays, node: Node, arrays: Sequence[Array], weights: Sequence[np.ndarray]) -> Array:
    axis = node.attributes["axis"]
    shape = list(arrays[0].shape)
    shape[axis] = sum(array.shape[axis] for array in arrays)
    if len({array.is_map for array in arrays}) > 1:
        raise Unwritable("maps beside other arrays")
    if arrays[0].scale is not None:  # all of them and the result have one scale
        arrays = [build.rescaled(array, build.int8.scales[node.name]) for array in arrays]
        return build.like(
            "CONCATENATION", arrays[0], node.name, shape, arrays[1:], axis=_axis(arrays[0], axis)
        )
    return build.add("CONCATENATION", arrays, node.name, shape, axis=_axis(arrays[0], axis))


def _slice(build: Arrays, node: Node, arrays: Sequence[Array], weights: Sequence[np.ndarray]) -> Array:
    (array,) = arrays
    axis, begin, end, step = (node.attributes[key] for key in ("axis", "begin", "end", "step"))
    if array.is_map and axis == 1 and step > 1:
        return channels_of(build, node, array, range(array.shape[1])[begin:end:step])
    shape, place = list(array.shape), _axis(array, axis)
    begins, ends, steps = [0] * len(shape), list(build.lying(array)), [1] * len(shape)
    begins[place], ends[place], steps[place] = begin, min(end, shape[axis]), step
    shape[axis] = len(range(shape[axis])[begin:end:step])
    more = [build.file.integers(*numbers) for numbers in (begins, ends, steps)]
    return build.like("STRIDED_SLICE", array, node.name, shape, more=more)


def _of_two(kind: str) -> Writer:
    """Return a writer of an operator on two arrays, or on an array and a constant."""

    def write(build: Arrays, node: Node, arrays: Sequence[Array], weights: Sequence[np.ndarray]) -> Array:
        native = arrays[0].scale is not None
        if not weights:
            if len({array.is_map for array in arrays}) > 1:
                raise Unwritable("a map with another array")
            shape = np.broadcast_shapes(*(array.shape for array in arrays))
            return build.add(kind, arrays, node.name, shape, native=native)
        (array,), (term,) = arrays, weights
        shape = np.broadcast_shapes(array.shape, term.shape)
        if array.is_map and term.ndim == len(_AXES):
            term = np.ascontiguousarray(term.transpose(0, 2, 3, 1))
        elif array.is_map and term.size > 1:
            raise Unwritable(f"a constant of shape {term.shape}")
        return build.add(
            kind, [array], node.name, shape, more=[build.file.constant(f"{node.name}_term", term)]
        )

    return write


def _reshape(build: Arrays, node: Node, arrays: Sequence[Array], weights: Sequence[np.ndarray]) -> Array:
    array = build.as_graph(arrays[0])
    shape = [array.shape[place] if side == 0 else side for place, side in enumerate(node.attributes["shape"])]
    if -1 in shape:
        known = math.prod(side for side in shape if side != -1)
        shape[shape.index(-1)] = math.prod(array.shape) // known
    return build.reshaped(array, shape, node.name)


def _transpose(build: Arrays, node: Node, arrays: Sequence[Array], weights: Sequence[np.ndarray]) -> Array:
    return build.turned(build.as_graph(arrays[0]), node.attributes["axes"], node.name)


def _axis(array: Array, axis: int) -> int:
    """Return where an axis of the graph lies in an array's tensor."""
    return _AXES[axis] if array.is_map else axis


_WRITERS: Mapping[str, Writer] = {
    "affine": _affine,
    "relu": plain("RELU"),
    "leaky_relu": leaky_relu,
    "prelu": prelu,
    "elu": elu,
    "clip": clip,
    "sigmoid": plain("LOGISTIC"),
    "tanh": plain("TANH"),
    "softplus": softplus,
    "exp": plain("EXP"),
    "softmax": _softmax,
    "max_pool": max_pool,
    "average_pool": average_pool,
    "global_average_pool": _global_average_pool,
    "upsample": _upsample,
    "concat": _concat,
    "slice": _slice,
    "add": _of_two("ADD"),
    "subtract": _of_two("SUB"),
    "multiply": _of_two("MUL"),
    "reshape": _reshape,
    "transpose": _transpose,
}
# Steps that compute in int8 where their result is to be in it; others compute in float32.
_INT8 = (
    "convolution",
    "relu",
    "clip",
    "leaky_relu",
    "add",
    "concat",
    "upsample",
    "max_pool",
    "slice",
    "reshape",
    "transpose",
)
