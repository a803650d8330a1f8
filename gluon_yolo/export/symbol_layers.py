"""The layers of a symbol that int8 may take, plain or joined by oneDNN's pass, and the arrays they hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gluon_yolo.compat import mx

CONVOLUTION, JOINED = "Convolution", "_sg_mkldnn_conv"
_LOWERABLE = (JOINED, "Concat", "Pooling", "elemwise_add", "Activation", "Flatten")
_WEIGHT = "_weight"
Node = dict[str, Any]


def layers(symbol: mx.sym.Symbol) -> tuple[str, ...]:
    """Return what int8 can leave in float: the convolutions before others, in the order of computation.

    A layer is called by its weight's place in the network: ``neck_transitions_0_0`` has
    ``neck_transitions_0_0_weight``.

    Args:
        symbol: a float32 graph, as ``export`` makes it, or of :mod:`gluon_yolo.export.symbol_fused`.
    """
    nodes = nodes_of(symbol)
    kept = {node["name"] for node, before in zip(nodes, before_convolutions(nodes)) if before}
    return tuple(layer for node, layer in layers_by_node(nodes).items() if node in kept)


def nodes_of(symbol: mx.sym.Symbol) -> list[Node]:
    """Return a graph's nodes, as its JSON has them."""
    return json.loads(symbol.tojson(remove_amp_cast=False))["nodes"]


def layers_by_node(nodes: Sequence[Node]) -> dict[str, str]:
    """Return the layers by the names of their nodes, joined or plain."""
    found = {}
    for node in nodes:
        if node["op"] in (CONVOLUTION, JOINED):
            weight = nodes[node["inputs"][_weight_input(node)][0]]["name"]
            found[node["name"]] = weight[: -len(_WEIGHT)] if weight.endswith(_WEIGHT) else weight
    return found


def _weight_input(node: Node) -> int:
    """Return which of a convolution's inputs is its weight."""
    if node["op"] == CONVOLUTION:
        return 1
    inner = node["subgraphs"][0]
    (convolution,) = (part for part in inner["nodes"] if part["op"] == CONVOLUTION)
    return inner["arg_nodes"].index(convolution["inputs"][1][0])


def before_convolutions(nodes: Sequence[Node]) -> list[bool]:
    """Return, for each node, whether a convolution comes of it."""
    before = [False] * len(nodes)
    for place in reversed(range(len(nodes))):
        if before[place] or nodes[place]["op"] in (CONVOLUTION, JOINED):
            for source, *_ in nodes[place]["inputs"]:
                before[source] = True
    return before


def held_arrays(symbol: mx.sym.Symbol) -> list[str]:
    """Return the names of the arrays that what mxnet may run in int8 reads and gives."""
    nodes = nodes_of(symbol)
    known = set(symbol.get_internals().list_outputs())
    held: dict[str, None] = {}
    for place, (node, before) in enumerate(zip(nodes, before_convolutions(nodes))):
        if before and node["op"] in _LOWERABLE:
            for source, output, *_ in (*node["inputs"], (place, 0)):
                name = nodes[source]["name"]
                ours = {f"{name}_output", f"{name}_output{output}"} & known
                held.update(dict.fromkeys(ours))
    return list(held)
