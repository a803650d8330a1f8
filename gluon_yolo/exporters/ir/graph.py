"""InferenceGraph: a network for inference as nodes and weights, without mxnet or a target format.

Axes: B batch, C channels, H height, W width. A map is (B, C, H, W) float32. A node returns one array with the
node's name. Its inputs are such arrays, the graph's input, or weights.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

INPUT = "data"


@dataclasses.dataclass(frozen=True)
class Operator:
    """The inputs and attributes of a kind of node.

    Args:
        meaning: its result.
        arrays: smallest and largest number of arrays that it reads.
        weights: names of its weights, which follow the arrays.
        optional: number of the last weights that may be missing.
        attributes: names of its attributes, all of which are required.
    """

    meaning: str
    arrays: tuple[int, int] = (1, 1)
    weights: tuple[str, ...] = ()
    optional: int = 0
    attributes: tuple[str, ...] = ()


_MANY = 1000
OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        "planes": Operator("pixels (B, H, W, 3), uint8 or float32, as a map (B, 3, H, W)"),
        "convolution": Operator(
            "weight (O, C / groups, kernel height, kernel width), bias (O,) or none; padding with zeros: "
            "top, left, bottom, right; stride and dilation: down, across",
            weights=("weight", "bias"),
            optional=1,
            attributes=("stride", "padding", "dilation", "groups"),
        ),
        "affine": Operator(
            "x * scale + shift; both (C,), along axis 1, or both (1,)", weights=("scale", "shift")
        ),
        "relu": Operator("max(x, 0)"),
        "leaky_relu": Operator("x, times slope where negative", attributes=("slope",)),
        "prelu": Operator("x, times its channel's slope where negative: (C,) or (1,)", weights=("slope",)),
        "elu": Operator("x, alpha * (exp(x) - 1) where negative", attributes=("alpha",)),
        "clip": Operator("x within min..max", attributes=("min", "max")),
        "sigmoid": Operator("1 / (1 + exp(-x))"),
        "tanh": Operator("tanh(x)"),
        "softplus": Operator("log(1 + exp(x))"),
        "exp": Operator("exp(x)"),
        "softmax": Operator("exp(x) over its sum along the axis", attributes=("axis",)),
        "max_pool": Operator(
            "maximum of each window; what is padded never is one; padding: top, left, bottom, right; a last "
            "window that is not whole is left out",
            attributes=("kernel", "stride", "padding"),
        ),
        "average_pool": Operator(
            "mean of each window, with the zeros of the padding; padding and last windows as for max_pool",
            attributes=("kernel", "stride", "padding"),
        ),
        "global_average_pool": Operator("mean over H and W, which become 1"),
        "upsample": Operator("each cell repeated factor times down and across", attributes=("factor",)),
        "concat": Operator("arrays side by side along the axis", (1, _MANY), attributes=("axis",)),
        "slice": Operator(
            "every step-th place from begin to before end along the axis",
            attributes=("axis", "begin", "end", "step"),
        ),
        "add": Operator("x + y, sides of 1 stretched; y may be a weight", (1, 2), ("term",), 1),
        "subtract": Operator("x - y, sides of 1 stretched", (2, 2)),
        "multiply": Operator("x * y, sides of 1 stretched; y may be a weight", (1, 2), ("factor",), 1),
        "reshape": Operator("0 keeps the side at its place, -1 takes what is left", attributes=("shape",)),
        "transpose": Operator("axes in another order", attributes=("axes",)),
        "cells": Operator("(1, 1, 2, H * W): column and row of each cell of a map, row by row"),
    }
)


@dataclasses.dataclass(frozen=True)
class Node:
    """One step of a graph.

    Args:
        op: a key of ``OPERATORS``.
        name: of the node and of its result.
        inputs: names of the arrays that it reads, then of its weights.
        attributes: numbers and tuples of numbers.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class InferenceGraph:
    """The steps from the pixels to the outputs, in an order in which they can be computed.

    The only input is ``data``: (B, H, W, 3) RGB in 0..255.

    Args:
        nodes: in that order.
        weights: float32 arrays by name; several nodes may read the same one.
        outputs: node by the name of the output.

    Raises:
        ValueError: a node's operator is unknown, its inputs or attributes are wrong, or it reads an array
            that is not computed before it; a name is used twice, or an output is no node.
    """

    nodes: tuple[Node, ...]
    weights: Mapping[str, np.ndarray]
    outputs: Mapping[str, str]

    def __post_init__(self) -> None:
        known = {INPUT}
        for node in self.nodes:
            problem = self._problem(node, known)
            if problem:
                raise ValueError(f"{node.op} {node.name}: {problem}")
            known.add(node.name)
        for name, array in self.weights.items():
            if array.dtype != np.float32:
                raise ValueError(f"weight {name}: expected float32, got {array.dtype}")
        lost = [node for node in self.outputs.values() if node not in known]
        if lost or not self.outputs:
            raise ValueError(f"outputs: expected nodes of the graph, got {lost}")

    def _problem(self, node: Node, known: set[str]) -> str:
        """Return what is wrong with a node after the arrays ``known``; empty when nothing is."""
        if node.op not in OPERATORS:
            return "no such operator"
        operator = OPERATORS[node.op]
        if node.name in known or node.name in self.weights:
            return "the name is taken"
        arrays = self.arrays_of(node)
        weights = node.inputs[len(arrays) :]
        unknown = [name for name in arrays if name not in known]
        if unknown:
            return f"reads {unknown[0]}, which is not there"
        if not all(name in self.weights for name in weights):
            return "a weight stands before an array"
        most_weights = len(operator.weights)
        for what, count, (least, most) in (
            ("arrays", len(arrays), operator.arrays),
            ("weights", len(weights), (most_weights - operator.optional, most_weights)),
        ):
            if not least <= count <= most:
                return f"reads {count} {what}, expected {least} to {most}"
        if set(node.attributes) != set(operator.attributes):
            return f"has {sorted(node.attributes)}, expected {sorted(operator.attributes)}"
        return ""

    def arrays_of(self, node: Node) -> list[str]:
        """Return the names of the arrays that a node reads, without its weights."""
        return [name for name in node.inputs if name not in self.weights]

    def weights_of(self, node: Node) -> list[np.ndarray]:
        """Return the weights that a node reads."""
        return [self.weights[name] for name in node.inputs if name in self.weights]

    @property
    def readers(self) -> dict[str, list[Node]]:
        """By the name of an array or weight, the nodes that read it, in order."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found.setdefault(name, []).append(node)
        return found

    def within_mish(self) -> dict[str, Node]:
        """Return by name the softplus steps that only tanh reads, as in Mish: the two can be one step."""
        readers, kept = self.readers, set(self.outputs.values())
        return {
            node.name: node
            for node in self.nodes
            if node.op == "softplus"
            and node.name not in kept
            and all(reader.op == "tanh" for reader in readers.get(node.name, ()))
        }

    def extended(
        self, nodes: Sequence[Node], weights: Mapping[str, np.ndarray], outputs: Mapping[str, str]
    ) -> InferenceGraph:
        """Return the graph with more steps and these outputs; steps that no output needs are removed."""
        return pruned((*self.nodes, *nodes), {**self.weights, **weights}, outputs)


def pruned(
    nodes: Sequence[Node], weights: Mapping[str, np.ndarray], outputs: Mapping[str, str]
) -> InferenceGraph:
    """Return the graph of the nodes and weights that the outputs need; weights become float32."""
    needed = set(outputs.values())
    kept = []
    for node in reversed(nodes):
        if node.name in needed:
            needed.update(node.inputs)
            kept.append(node)
    return InferenceGraph(
        tuple(reversed(kept)),
        {name: np.asarray(array, dtype=np.float32) for name, array in weights.items() if name in needed},
        dict(outputs),
    )


class Builder:
    """Collect steps and weights for a graph; a step without a name gets one from its operator.

    Args:
        prefix: of these names.

    Attributes:
        nodes: so far.
        weights: so far, of any float type.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self.nodes: list[Node] = []
        self.weights: dict[str, np.ndarray] = {}
        self._numbers: dict[str, int] = {}

    def add(
        self,
        op: str,
        *inputs: str,
        name: str | None = None,
        weights: Sequence[np.ndarray] = (),
        **attributes: Any,
    ) -> str:
        """Append a step and return its name.

        Args:
            op: a key of ``OPERATORS``.
            inputs: names of arrays, and of weights that are stored already.
            name: of the step; None numbers the steps of its operator.
            weights: to be stored under the step's name and the operator's name of the weight.
            **attributes: of the step.
        """
        if name is None:
            self._numbers[op] = self._numbers.get(op, -1) + 1
            name = f"{self._prefix}{op}{self._numbers[op]}"
        own = [self.store(f"{name}_{kind}", array) for kind, array in zip(OPERATORS[op].weights, weights)]
        self.nodes.append(Node(op, name, (*inputs, *own), attributes))
        return name

    def store(self, name: str, array: np.ndarray) -> str:
        """Add a weight and return its name."""
        self.weights[name] = array
        return name
