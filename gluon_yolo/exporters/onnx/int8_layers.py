"""The nodes of an inference graph that compute in int8, and the arrays that are quantized."""

from __future__ import annotations

from collections.abc import Sequence

from gluon_yolo.exporters.ir.graph import INPUT, InferenceGraph

CONVOLUTION = "convolution"
# Operators that can compute in uint8 between two convolutions, with their name in ONNX.
BETWEEN = {
    "relu": "Relu",
    "clip": "Clip",
    "leaky_relu": "LeakyRelu",
    "add": "Add",
    "concat": "Concat",
    "upsample": "Resize",
    "max_pool": "MaxPool",
    "slice": "Slice",
    "reshape": "Reshape",
    "transpose": "Transpose",
}


def layers(graph: InferenceGraph) -> tuple[str, ...]:
    """Return the layers that can be in int8: convolutions before others, in the order of computation.

    They have the same names as in :func:`gluon_yolo.exporters.mxnet.int8.layers`.

    Args:
        graph: with the raw maps as outputs.
    """
    before = _before_convolutions(graph)
    return tuple(node.name for node in graph.nodes if node.op == CONVOLUTION and node.name in before)


def in_int8(graph: InferenceGraph, excluded: Sequence[str]) -> list[str]:
    """Return the nodes that compute in int8: convolutions, and nodes whose inputs are all in int8.

    Args:
        graph: with the raw maps as outputs.
        excluded: layers that stay in float.
    """
    left = set(excluded)
    before = _before_convolutions(graph)
    chosen: dict[str, None] = {}
    for node in graph.nodes:
        if node.name not in before:
            continue
        if node.op == CONVOLUTION:
            fits = node.name not in left
        else:
            fits = node.op in BETWEEN and all(name in chosen for name in graph.arrays_of(node))
        if fits:
            chosen[node.name] = None
    return list(chosen)


def to_be_held(graph: InferenceGraph) -> list[str]:
    """Return the names of the arrays that nodes in int8 can read or return."""
    held: dict[str, None] = {}
    nodes = {node.name: node for node in graph.nodes}
    for name in in_int8(graph, ()):
        held.update(dict.fromkeys([*graph.arrays_of(nodes[name]), name]))
    held.pop(INPUT, None)
    return list(held)


def _before_convolutions(graph: InferenceGraph) -> set[str]:
    """Return the nodes on which a convolution depends."""
    before: set[str] = set()
    for node in reversed(graph.nodes):
        if node.op == CONVOLUTION or node.name in before:
            before.update(node.inputs)
    return before
