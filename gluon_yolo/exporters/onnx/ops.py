"""ONNX operators: each step of an InferenceGraph in ONNX, operator set 13."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

import numpy as np

from gluon_yolo.errors import MissingDependency, explain
from gluon_yolo.exporters.ir.graph import Node

try:
    import onnx
    from onnx import helper, numpy_helper
except ImportError as error:
    raise MissingDependency(explain(error, "onnx")) from error

__all__ = ["OPSET", "OnnxBuilder", "add_step", "helper", "onnx"]

OPSET = 13
_LONGEST_MAP = 2048  # cells per side: 16384 pixels at a stride of 8


class OnnxBuilder:
    """Collect ONNX nodes and their constants.

    Attributes:
        nodes: so far.
        initializers: so far, by name.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}

    def add(self, op: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Append a node whose output has the node's name, and return that name."""
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, array: Any, name: str) -> str:
        """Add an array under a unique name, and return the name."""
        self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def float(self, number: float) -> str:
        """Add a number that several nodes can read, and return its name."""
        return self.constant(np.array(number, dtype=np.float32), f"float_{number:g}")

    def integer(self, number: int) -> str:
        """Add an integer (int64) that several nodes can read, and return its name."""
        return self.constant(np.array(number, dtype=np.int64), f"int_{number}")

    def integers(self, *numbers: int) -> str:
        """Add an array of integers (int64) that several nodes can read, and return its name."""
        return self.constant(np.array(numbers, dtype=np.int64), "_".join(["ints", *map(str, numbers)]))


def add_step(build: OnnxBuilder, node: Node, inputs: list[str], name: str) -> None:
    """Append the ONNX nodes of a step.

    Args:
        build: has the weights that the step reads.
        node: the step.
        inputs: names in ONNX of the step's inputs.
        name: of the step's output.
    """
    _WRITERS[node.op](build, node, inputs, name)


Writer = Callable[[OnnxBuilder, Node, "list[str]", str], None]


def _plain(op: str, **attributes: Any) -> Writer:
    """Return a writer of a single ONNX node; a value may be the name of a step's attribute."""

    def write(build: OnnxBuilder, node: Node, inputs: list[str], name: str) -> None:
        values = {key: node.attributes.get(value, value) for key, value in attributes.items()}
        build.add(op, inputs, name, **values)

    return write


def _planes(build: OnnxBuilder, node: Node, inputs: list[str], name: str) -> None:
    # The cast is first: TensorRT accepts a uint8 input only if a cast reads it.
    floats = build.add("Cast", inputs, f"{name}_floats", to=onnx.TensorProto.FLOAT)
    build.add("Transpose", [floats], name, perm=(0, 3, 1, 2))


def _convolution(build: OnnxBuilder, node: Node, inputs: list[str], name: str) -> None:
    kernel = build.initializers[inputs[1]].dims[2:]
    build.add(
        "Conv",
        inputs,
        name,
        kernel_shape=list(kernel),
        strides=node.attributes["stride"],
        pads=node.attributes["padding"],
        dilations=node.attributes["dilation"],
        group=node.attributes["groups"],
    )


def _affine(build: OnnxBuilder, node: Node, inputs: list[str], name: str) -> None:
    array, *weights = inputs
    steps = []
    for op, weight, nothing in (("Mul", weights[0], 1), ("Add", weights[1], 0)):
        numbers = numpy_helper.to_array(build.initializers.pop(weight))
        if (numbers != nothing).any():
            shape = () if numbers.size == 1 else (-1, 1, 1)
            steps.append((op, build.constant(numbers.reshape(shape), weight)))
    for number, (op, weight) in enumerate(steps):
        last = number == len(steps) - 1
        array = build.add(op, [array, weight], name if last else f"{name}_scaled")
    if not steps:
        build.add("Identity", [array], name)


def _prelu(build: OnnxBuilder, node: Node, inputs: list[str], name: str) -> None:
    array, weight = inputs
    slopes = numpy_helper.to_array(build.initializers.pop(weight))
    build.add("PRelu", [array, build.constant(slopes.reshape(-1, 1, 1), weight)], name)


def _average_pool(build: OnnxBuilder, node: Node, inputs: list[str], name: str) -> None:
    sides = {"kernel_shape": "kernel", "strides": "stride", "pads": "padding"}
    values = {key: node.attributes[value] for key, value in sides.items()}
    build.add("AveragePool", inputs, name, count_include_pad=1, **values)


def _clip(build: OnnxBuilder, node: Node, inputs: list[str], name: str) -> None:
    limits = [build.float(node.attributes[limit]) for limit in ("min", "max")]
    build.add("Clip", [*inputs, *limits], name)


def _upsample(build: OnnxBuilder, node: Node, inputs: list[str], name: str) -> None:
    factor = node.attributes["factor"]
    scales = build.constant(np.array([1, 1, factor, factor], dtype=np.float32), f"upsampling_{factor}")
    build.add(
        "Resize",
        [*inputs, "", scales],
        name,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def _slice(build: OnnxBuilder, node: Node, inputs: list[str], name: str) -> None:
    ends = [build.integers(node.attributes[key]) for key in ("begin", "end", "axis", "step")]
    build.add("Slice", [*inputs, *ends], name)


def _reshape(build: OnnxBuilder, node: Node, inputs: list[str], name: str) -> None:
    build.add("Reshape", [*inputs, build.integers(*node.attributes["shape"])], name)


def _cells(build: OnnxBuilder, node: Node, inputs: list[str], name: str) -> None:
    def add(op: str, *sources: str, **attributes: Any) -> str:
        return build.add(op, list(sources), f"{name}_{len(build.nodes)}", **attributes)

    # Slices of one long row of numbers: some runtimes do not support CumSum, and with known sizes ONNX
    # Runtime does not accept the inputs of Range as scalars.
    count = build.constant(np.arange(_LONGEST_MAP, dtype=np.float32).reshape(1, 1, 1, -1), "count")
    shape = add("Shape", *inputs)
    ends = [add("Slice", shape, *map(build.integers, (axis, axis + 1))) for axis in (3, 2)]
    counts = [add("Slice", count, build.integers(0), end, build.integers(3)) for end in ends]
    counts[1] = add("Reshape", counts[1], build.integers(1, 1, -1, 1))
    sides = add("Slice", shape, *map(build.integers, (2, 4)))
    grid = add("Concat", *(add("Expand", numbers, sides) for numbers in counts), axis=1)
    build.add("Reshape", [grid, build.integers(1, 1, 2, -1)], name)


_WRITERS: Mapping[str, Writer] = {
    "planes": _planes,
    "convolution": _convolution,
    "affine": _affine,
    "relu": _plain("Relu"),
    "leaky_relu": _plain("LeakyRelu", alpha="slope"),
    "prelu": _prelu,
    "elu": _plain("Elu", alpha="alpha"),
    "clip": _clip,
    "sigmoid": _plain("Sigmoid"),
    "tanh": _plain("Tanh"),
    "softplus": _plain("Softplus"),
    "exp": _plain("Exp"),
    "softmax": _plain("Softmax", axis="axis"),
    "max_pool": _plain("MaxPool", kernel_shape="kernel", strides="stride", pads="padding"),
    "average_pool": _average_pool,
    "global_average_pool": _plain("GlobalAveragePool"),
    "upsample": _upsample,
    "concat": _plain("Concat", axis="axis"),
    "slice": _slice,
    "add": _plain("Add"),
    "subtract": _plain("Sub"),
    "multiply": _plain("Mul"),
    "reshape": _reshape,
    "transpose": _plain("Transpose", perm="axes"),
    "cells": _cells,
}
