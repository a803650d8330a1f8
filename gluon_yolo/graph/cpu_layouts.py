"""Memory layouts of a training graph on a CPU with AVX-512, so that batch normalisation is fast.

oneDNN stores a map in blocks of channels: of 16 where its kernels for AVX-512 compute it, of 8 where those
for AVX2 do, or of 1. A convolution chooses by its channels, forward and backward apart. So batch
normalisation may get its map in blocks of 16, from the convolution before it, and the map's gradient in
blocks of 8, from the one behind it, or the other way round. mxnet 1.9.1 brings both to one layout only if one
of them is in blocks of 1. For others oneDNN has only its reference kernel: 59 ms instead of 0.1 ms for a map
of 4x256x16x20 on one thread. ``benchmarks/cpu_kernels.py`` prints what it costs whole networks.

A copy in blocks of 1 between both avoids that. A CPU without AVX-512 has no blocks of 16.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from gluon_yolo.graph.node import Graph, Node
from gluon_yolo.graph.symbol_text import text_of
from gluon_yolo.mxnet_compat import mx

Shapes = Mapping[str, Sequence[int]]
_BLOCKS = (16, 8)
_NORMS = ("BatchNorm", "_contrib_BatchNormWithReLU")
_ACTIVATIONS = ("Activation", "LeakyReLU")
# The gradient that they return has the layout of the one that they get.
_PASSING = (*_ACTIVATIONS, "elemwise_add", "add_n", "Concat", "Dropout")
# A transposition that changes nothing writes blocks of 1, forward and backward. Operators that may write in
# place, such as a product with 1, keep the layout of what they replace.
_COPY = {"op": "transpose", "attrs": {"axes": "(0, 1, 2, 3)"}}


def without_mixed_blocks(symbol: mx.sym.Symbol, shapes: Shapes) -> mx.sym.Symbol:
    """Return a training graph of the same values in which every batch normalisation gets equal blocks.

    Args:
        symbol: a training graph.
        shapes: of its parameters, by name.
    """
    text = text_of(symbol)
    places = mixed_blocks(Graph.from_json(text), shapes)
    return mx.sym.load_json(_with_copies(text, places)) if places else symbol


def mixed_blocks(graph: Graph, shapes: Shapes) -> list[int]:
    """Return the nodes behind which a map and its gradient are to be copied, in order.

    They are batch normalisations with blocks of 16 and of 8, or the activations behind them.

    Args:
        graph: a training graph.
        shapes: of its parameters, by name.
    """
    layouts = _Layouts(graph, shapes)
    return [
        layouts.last_activation(place)
        for place, node in enumerate(graph.nodes)
        if node.op in _NORMS and layouts.are_mixed(place)
    ]


class _Layouts:
    """The block sizes that oneDNN chooses.

    Args:
        graph: a training graph.
        shapes: of its parameters, by name.
    """

    def __init__(self, graph: Graph, shapes: Shapes) -> None:
        self._nodes = graph.nodes
        self._shapes = shapes
        self._readers: dict[int, list[int]] = defaultdict(list)
        for place, node in enumerate(graph.nodes):
            for source in node.inputs:
                self._readers[source.node].append(place)

    def are_mixed(self, norm: int) -> bool:
        """Return whether a batch normalisation gets blocks of 16 and of 8."""
        before = self._nodes[self._nodes[norm].inputs[0].node]
        if before.op != "Convolution":
            return False
        return {self._forward(before), *self._gradients(norm)} >= {*_BLOCKS}

    def last_activation(self, place: int) -> int:
        """Return the last of the activations behind a node, as long as nothing else reads what they read."""
        readers = self._readers[place]
        if len(readers) == 1 and self._nodes[readers[0]].op in _ACTIVATIONS:
            return self.last_activation(readers[0])
        return place

    def _gradients(self, place: int) -> Iterator[int]:
        """Yield the block sizes in which the readers of a node return its gradient."""
        for reader in self._readers[place]:
            node = self._nodes[reader]
            if node.op == "Convolution":
                yield self._backward(node)
            elif node.op in _PASSING:
                yield from self._gradients(reader)

    def _forward(self, convolution: Node) -> int:
        """Return the block size of a convolution's output."""
        channels, out = self._channels(convolution)
        for size in _BLOCKS:
            # The kernels that write blocks read blocks, or the few channels of an image.
            as_image = channels < 16 if size == 16 else channels <= 3
            if out % size == 0 and (channels % size == 0 or as_image):
                return size
        return 1

    def _backward(self, convolution: Node) -> int:
        """Return the block size of the gradient of a convolution's input."""
        sides = self._channels(convolution)
        return next((size for size in _BLOCKS if not any(side % size for side in sides)), 1)

    def _channels(self, convolution: Node) -> tuple[int, int]:
        """Return the channels of input and output."""
        out, per_group, *_ = self._shapes[self._nodes[convolution.inputs[1].node].name]
        return per_group * convolution.attributes.get("num_group", 1), out


def _with_copies(text: str, places: Collection[int]) -> str:
    """Return a symbol's JSON with a copy behind the first output of some nodes, for all of its readers."""
    record = json.loads(text)
    nodes: list[dict[str, Any]] = []
    kept: list[int] = []  # the new place of each node
    read: list[int] = []  # the place where its first output is read: that of its copy, if it has one

    def entries(given: list[list[int]]) -> list[list[int]]:
        return [[(kept if number else read)[node], number, *rest] for node, number, *rest in given]

    for place, node in enumerate(record["nodes"]):
        nodes.append({**node, "inputs": entries(node["inputs"])})
        kept.append(len(nodes) - 1)
        if place in places:
            nodes.append({**_COPY, "name": f"{node['name']}_copy", "inputs": [[kept[place], 0, 0]]})
        read.append(len(nodes) - 1)
    record["heads"] = entries(record["heads"])
    record["arg_nodes"] = [kept[place] for place in record["arg_nodes"]]
    del record["node_row_ptr"]  # mxnet computes it
    return json.dumps({**record, "nodes": nodes})
