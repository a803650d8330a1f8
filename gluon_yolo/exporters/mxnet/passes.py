"""A symbol with its batch norms folded into the convolutions before them: fewer operators, all plain."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from gluon_yolo.inference.runtimes.mxnet import BFLOAT16
from gluon_yolo.mxnet_compat import mx

_FLOAT = ("Concat",)  # mxnet would let it join maps of different types, and fail


def convert(
    symbol: mx.sym.Symbol, parameters: Mapping[str, mx.nd.NDArray]
) -> tuple[mx.sym.Symbol, dict[str, mx.nd.NDArray]]:
    """Turn a float32 graph into one that computes in bfloat16, and in float32 what is fragile.

    Batch norms are folded first, so that a weight is rounded once. mxnet's lists say which operators may
    compute in bfloat16 (``mx.contrib.amp``); decoding and suppression are none of them.

    The graph must be written with ``remove_amp_cast=False``: mxnet leaves its casts out of files otherwise.
    It runs as it is where the processor has AVX-512, fast where it has AVX-512 BF16; other processors cannot
    run it ("could not create a primitive descriptor iterator"). :mod:`gluon_yolo.inference.runtimes.mxnet`
    computes in float32 there.

    Args:
        symbol: a float32 graph as ``export`` makes it, cut anywhere.
        parameters: values of all that it reads besides its input, by name.

    Returns:
        The graph, its input, outputs and the names of decoded boxes and scores as before, and the values of
        what it reads: bfloat16 for the convolutions, float32 for the rest.
    """
    amp = importlib.import_module("mxnet.contrib.amp")
    fused, values = fuse(symbol, parameters)
    converted, values, _ = amp.convert_model(
        fused,
        values,
        {},
        target_dtype="bfloat16",
        fp32_ops=[*amp.list_fp32_ops(BFLOAT16), *_FLOAT],
        cast_optional_params=True,
    )
    return converted, values


_WEIGHT, _BIAS = "_weight", "_bias"
_NORM_DEFAULTS = {"axis": "1", "eps": "1e-3", "fix_gamma": "True"}  # mxnet's
Node = dict[str, Any]


def fuse(
    symbol: mx.sym.Symbol, parameters: Mapping[str, mx.nd.NDArray]
) -> tuple[mx.sym.Symbol, dict[str, mx.nd.NDArray]]:
    """Fold each batch norm into the convolution before it, where nobody else reads that one.

    The graph that comes of it infers what the given one does, on every mxnet. A convolution's weight keeps
    its name; the bias that it gets is called alike, ``..._bias`` for ``..._weight``. Other operators, inputs,
    outputs and names stay. Arithmetic in double precision.

    Args:
        symbol: a float32 graph as ``export`` makes it.
        parameters: values of all that it reads besides its input, by name.

    Returns:
        The graph and the values of what it reads.
    """
    work = _Work(symbol, parameters)
    for norm in [node for node in work.nodes if node["op"] == "BatchNorm"]:
        if work.can_fold(norm):
            work.fold(norm)
    return work.result()


class _Work:
    """A graph's nodes, which refer to one another, and its values while they change."""

    def __init__(self, symbol: mx.sym.Symbol, parameters: Mapping[str, mx.nd.NDArray]) -> None:
        """Replace the numbers by which nodes name their inputs by the nodes themselves."""
        self._record: dict[str, Any] = json.loads(symbol.tojson())
        self.nodes: list[Node] = self._record["nodes"]
        for node in self.nodes:
            node["inputs"] = [(self.nodes[place], *rest) for place, *rest in node["inputs"]]
        self._heads = [(self.nodes[place], *rest) for place, *rest in self._record["heads"]]
        self._readers = Counter(edge[0]["name"] for node in self.nodes for edge in node["inputs"])
        self._readers.update(edge[0]["name"] for edge in self._heads)
        self._values = dict(parameters)

    def can_fold(self, norm: Node) -> bool:
        """Return whether a batch norm's work can be a convolution's, whose numbers are nobody else's."""
        convolution = norm["inputs"][0][0]
        if convolution["op"] != "Convolution" or _setting(norm, "axis") != "1":
            return False
        own = [convolution, *(edge[0] for edge in convolution["inputs"][1:])]
        return all(self._readers[node["name"]] == 1 for node in own) and not any(
            edge[0] is norm for edge in self._heads
        )

    def fold(self, norm: Node) -> None:
        """Make a batch norm's work that of the convolution before it, which takes its place."""
        convolution = norm["inputs"][0][0]
        gamma, beta, mean, variance = (self._number(edge[0]) for edge in norm["inputs"][1:])
        scale = 1 / np.sqrt(variance + float(_setting(norm, "eps")))
        if _setting(norm, "fix_gamma") != "True":
            scale = scale * gamma
        weight = convolution["inputs"][1][0]
        if len(convolution["inputs"]) == 2:
            bias = {"op": "null", "name": _bias_name(weight["name"]), "inputs": []}
            self.nodes.insert(next(i for i, node in enumerate(self.nodes) if node is convolution), bias)
            convolution["inputs"].append((bias, 0, 0))
            convolution["attrs"]["no_bias"] = "False"
            old = np.zeros_like(mean)
        else:
            bias = convolution["inputs"][2][0]
            old = self._number(bias)
        self._keep(weight, self._number(weight) * scale.reshape(-1, 1, 1, 1))
        self._keep(bias, (old - mean) * scale + beta)
        for node in self.nodes:
            node["inputs"] = [(convolution, 0, 0) if edge[0] is norm else edge for edge in node["inputs"]]

    def result(self) -> tuple[mx.sym.Symbol, dict[str, mx.nd.NDArray]]:
        """Return the graph, without what nobody reads any more, and its values."""
        wanted = {id(edge[0]) for edge in self._heads}
        for node in reversed(self.nodes):
            if id(node) in wanted:
                wanted.update(id(edge[0]) for edge in node["inputs"])
        kept = [node for node in self.nodes if id(node) in wanted]
        places = {id(node): place for place, node in enumerate(kept)}

        def numbered(edges: list[Any]) -> list[Any]:
            return [[places[id(node)], *rest] for node, *rest in edges]

        record = {
            "nodes": [{**node, "inputs": numbered(node["inputs"])} for node in kept],
            "arg_nodes": [place for place, node in enumerate(kept) if node["op"] == "null"],
            "heads": numbered(self._heads),
            "attrs": self._record["attrs"],
        }
        fused = mx.sym.load_json(json.dumps(record))
        return fused, {name: self._values[name] for name in fused.list_inputs() if name in self._values}

    def _number(self, variable: Node) -> np.ndarray:
        return self._values[variable["name"]].asnumpy().astype(np.float64)

    def _keep(self, variable: Node, array: np.ndarray) -> None:
        self._values[variable["name"]] = mx.nd.array(array, dtype="float32")


def _setting(norm: Node, name: str) -> str:
    return norm.get("attrs", {}).get(name, _NORM_DEFAULTS[name])


def _bias_name(weight: str) -> str:
    return (weight[: -len(_WEIGHT)] if weight.endswith(_WEIGHT) else weight) + _BIAS
