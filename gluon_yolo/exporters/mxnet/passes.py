"""Passes over a symbol: batch normalisation folded into convolutions, and conversion to bfloat16."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from gluon_yolo.graph.symbol_text import text_of
from gluon_yolo.inference.runtimes.exported_symbol import BFLOAT16
from gluon_yolo.mxnet_compat import mx

_FLOAT = ("Concat",)  # otherwise mxnet concatenates maps of different types, and fails


def convert(
    symbol: mx.sym.Symbol, parameters: Mapping[str, mx.nd.NDArray]
) -> tuple[mx.sym.Symbol, dict[str, mx.nd.NDArray]]:
    """Turn a float32 graph into one that computes in bfloat16, except for sensitive operators.

    Batch normalisation is folded first, so that a weight is rounded only once. mxnet's lists tell which
    operators can compute in bfloat16 (``mx.contrib.amp``); decoding and NMS are not among them.

    The graph must be written with ``remove_amp_cast=False``, because mxnet removes its casts otherwise. It
    runs on CPUs with AVX-512, and is fast on those with AVX-512 BF16; other CPUs cannot run it ("could not
    create a primitive descriptor iterator"). :mod:`gluon_yolo.inference.runtimes.mxnet` computes in float32
    there.

    Args:
        symbol: a float32 graph from ``export``, with any cut.
        parameters: values of all its inputs but the pixels, by name.

    Returns:
        The graph, with the same input, outputs and names of decoded boxes and scores, and the values of its
        inputs: bfloat16 for convolutions, float32 for the rest.
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
_NORM_DEFAULTS = {"axis": "1", "eps": "1e-3", "fix_gamma": "True"}  # mxnet's defaults
Node = dict[str, Any]


def fuse(
    symbol: mx.sym.Symbol, parameters: Mapping[str, mx.nd.NDArray]
) -> tuple[mx.sym.Symbol, dict[str, mx.nd.NDArray]]:
    """Fold each batch normalisation into the convolution before it, if nothing else reads the convolution.

    The graph has the same results, with every mxnet. A convolution's weight keeps its name; its new bias has
    the same name with ``_bias`` instead of ``_weight``. Other operators, inputs, outputs and names stay.
    Computed in float64.

    Args:
        symbol: a float32 graph from ``export``.
        parameters: values of all its inputs but the pixels, by name.

    Returns:
        The graph and the values of its inputs.
    """
    work = _Work(symbol, parameters)
    for norm in [node for node in work.nodes if node["op"] == "BatchNorm"]:
        if work.can_fold(norm):
            work.fold(norm)
    return work.result()


class _Work:
    """A graph during folding: nodes that refer to each other, and their values."""

    def __init__(self, symbol: mx.sym.Symbol, parameters: Mapping[str, mx.nd.NDArray]) -> None:
        self._record: dict[str, Any] = json.loads(text_of(symbol))
        self.nodes: list[Node] = self._record["nodes"]
        for node in self.nodes:
            node["inputs"] = [(self.nodes[place], *rest) for place, *rest in node["inputs"]]
        self._heads = [(self.nodes[place], *rest) for place, *rest in self._record["heads"]]
        self._readers = Counter(edge[0]["name"] for node in self.nodes for edge in node["inputs"])
        self._readers.update(edge[0]["name"] for edge in self._heads)
        self._values = dict(parameters)

    def can_fold(self, norm: Node) -> bool:
        """Return whether a batch normalisation follows a convolution that nothing else uses."""
        convolution = norm["inputs"][0][0]
        if convolution["op"] != "Convolution" or _setting(norm, "axis") != "1":
            return False
        own = [convolution, *(edge[0] for edge in convolution["inputs"][1:])]
        return all(self._readers[node["name"]] == 1 for node in own) and not any(
            edge[0] is norm for edge in self._heads
        )

    def fold(self, norm: Node) -> None:
        """Fold a batch normalisation into the convolution before it."""
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
        """Return the graph, without unused nodes, and its values."""
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
