"""Int8 quantization of a symbol by mxnet, calibrated on images.

Every convolution before another one computes in int8, with the batch normalisation, activation and sum that
oneDNN fuses with it, as do concatenations and pools between two of them. The normalisation of the input, the
convolutions of the raw maps, and decoding stay in float32: a raw map's values cover dozens of units, so a
step of int8 would be a third of a unit, and sizes are exponentials of them. mxnet converts weights to int8,
per channel, when the graph first runs; in the file they are float32.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.exporters.mxnet.trace import INPUT
from gluon_yolo.exporters.quantize.calibrate import Progress, Ranges, calibrate_ranges
from gluon_yolo.graph.symbol_text import text_of
from gluon_yolo.mxnet_compat import gluon, mx

CONVOLUTION, JOINED = "Convolution", "_sg_mkldnn_conv"
_LOWERABLE = (JOINED, "Concat", "Pooling", "elemwise_add", "Activation", "Flatten")
_WEIGHT = "_weight"
Node = dict[str, Any]


def layers(symbol: mx.sym.Symbol) -> tuple[str, ...]:
    """Return the layers that can be in int8: convolutions before others, in the order of computation.

    A layer has the name of its weight without the ending: ``neck_transitions_0_0`` has
    ``neck_transitions_0_0_weight``.

    Args:
        symbol: a float32 graph, from ``export`` or :mod:`gluon_yolo.exporters.mxnet.passes`.
    """
    nodes = nodes_of(symbol)
    kept = {node["name"] for node, before in zip(nodes, before_convolutions(nodes)) if before}
    return tuple(layer for node, layer in layers_by_node(nodes).items() if node in kept)


def nodes_of(symbol: mx.sym.Symbol) -> list[Node]:
    """Return the nodes in a graph's JSON."""
    return json.loads(symbol.tojson(remove_amp_cast=False))["nodes"]


def layers_by_node(nodes: Sequence[Node]) -> dict[str, str]:
    """Return the layers by the names of their nodes, fused or plain."""
    found = {}
    for node in nodes:
        if node["op"] in (CONVOLUTION, JOINED):
            weight = nodes[node["inputs"][_weight_input(node)][0]]["name"]
            found[node["name"]] = weight[: -len(_WEIGHT)] if weight.endswith(_WEIGHT) else weight
    return found


def _weight_input(node: Node) -> int:
    """Return the index of a convolution's weight among its inputs."""
    if node["op"] == CONVOLUTION:
        return 1
    inner = node["subgraphs"][0]
    (convolution,) = (part for part in inner["nodes"] if part["op"] == CONVOLUTION)
    return inner["arg_nodes"].index(convolution["inputs"][1][0])


def before_convolutions(nodes: Sequence[Node]) -> list[bool]:
    """Return, for each node, whether a convolution depends on it."""
    before = [False] * len(nodes)
    for place in reversed(range(len(nodes))):
        if before[place] or nodes[place]["op"] in (CONVOLUTION, JOINED):
            for source, *_ in nodes[place]["inputs"]:
                before[source] = True
    return before


def held_arrays(symbol: mx.sym.Symbol) -> list[str]:
    """Return the names of the arrays that nodes in int8 can read or return."""
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


__all__ = ["calibrate", "layers", "lower", "quantize"]

FUSION = "MKLDNN_QUANTIZE"  # mxnet's subgraph pass that fuses what one int8 kernel computes
# Type of the quantized arrays in mxnet. "auto" is uint8 for arrays without negative values, which is not
# faster, and on CPUs without VNNI oneDNN's sums overflow: the mAP of Nano on BCCD is then 0.82 instead of
# 0.87.
ACTIVATIONS = "int8"
SMALLEST_RANGE = 1e-6  # for a layer whose values are all zero; int8's step would be zero
_LOWERED = (JOINED, "amp_cast", "amp_multicast", "_contrib_quantize_v2")
_OUTPUT = "_output"


def quantize(
    symbol: mx.sym.Symbol,
    parameters: Mapping[str, mx.nd.NDArray],
    batches: Iterable[np.ndarray],
    method: str = "minmax",
    excluded: Sequence[str] = (),
    progress: Progress | None = None,
) -> tuple[mx.sym.Symbol, dict[str, mx.nd.NDArray]]:
    """Turn a float32 graph into one that computes in int8: :func:`calibrate`, then :func:`lower`."""
    ranges = calibrate(symbol, parameters, batches, method, progress)
    return lower(symbol, parameters, ranges, excluded)


def calibrate(
    symbol: mx.sym.Symbol,
    parameters: Mapping[str, mx.nd.NDArray],
    batches: Iterable[np.ndarray],
    method: str = "minmax",
    progress: Progress | None = None,
) -> Ranges:
    """Run images through a graph and return the range of every array that can be in int8.

    Images run one by one, and their arrays are not kept. The memory is that of one image with all its maps,
    about twice that of prediction.

    Args:
        symbol: a float32 graph with the input ``data``, with any cut.
        parameters: values of all its other inputs, by name.
        batches: of preprocessed images (B, h, w, 3) uint8 RGB; read once, in order.
        method: ``minmax``: all values; ``entropy``: clipped, see
            :class:`gluon_yolo.exporters.quantize.calibrate.Histogram`.
        progress: function that is called with ``pictures``, the number done, None; with ``entropy`` also with
            ``ranges``, the number done, and the total.

    Returns:
        Minimum and maximum by the array's name in the graph that mxnet quantizes.

    Raises:
        UserError: the method is unknown, there are no images, the graph is not float32, values are not
            finite, or mxnet has no oneDNN.
    """
    joined = _joined(symbol)
    internals = joined.get_internals()
    names = held_arrays(joined)
    block = _block(mx.sym.Group([internals[name] for name in names]), parameters)

    def arrays_of(image: np.ndarray) -> Iterator[np.ndarray]:
        arrays = block(mx.nd.array(image, dtype="uint8"))
        for array in arrays if len(names) > 1 else [arrays]:
            yield array.asnumpy()

    return calibrate_ranges(names, arrays_of, batches, method, progress)


def lower(
    symbol: mx.sym.Symbol,
    parameters: Mapping[str, mx.nd.NDArray],
    ranges: Ranges,
    excluded: Sequence[str] = (),
) -> tuple[mx.sym.Symbol, dict[str, mx.nd.NDArray]]:
    """Turn a float32 graph into one that computes in int8, with given ranges.

    Args:
        symbol: as for :func:`calibrate`.
        parameters: as for :func:`calibrate`.
        ranges: from :func:`calibrate`.
        excluded: layers that stay in float32, from :func:`layers`.

    Returns:
        The graph, which any mxnet 1.9 with oneDNN can run, and the values of its inputs. Its input, outputs
        and the names of its decoded boxes and scores are the same.

    Raises:
        UserError: a layer is unknown, or as for :func:`calibrate`.
    """
    joined = _joined(symbol)
    arguments = {name: parameters[name] for name in joined.list_arguments() if name != INPUT}
    states = {name: parameters[name] for name in joined.list_auxiliary_states()}
    quantized, arguments, states, _ = mx.contrib.quantization.quantize_graph(
        joined,
        arguments,
        states,
        excluded_sym_names=_float_nodes(nodes_of(joined), excluded),
        calib_mode="none",
        quantized_dtype=ACTIVATIONS,
        quantize_mode="smart",
    )
    known = {name: _widened(low, high) for name, (low, high) in ranges.items()}
    quantized, arguments, states = mx.contrib.quantization.calib_graph(
        quantized,
        arguments,
        states,
        SimpleNamespace(min_max_dict=known),
        calib_mode="customize",
        quantized_dtype=ACTIVATIONS,
    )
    return _named(quantized.get_backend_symbol(FUSION), symbol), {**arguments, **states}


def _joined(symbol: mx.sym.Symbol) -> mx.sym.Symbol:
    """Return a float32 graph in which the operators of one int8 kernel are fused to one node."""
    if not mx.runtime.Features().is_enabled("MKLDNN"):
        raise UserError("int8: this mxnet is built without oneDNN, whose kernels it needs")
    found = {node["op"] for node in nodes_of(symbol)}.intersection(_LOWERED)
    if found:
        raise UserError(
            f"int8: the graph is in another precision already ({min(found)}); start from a float32 export"
        )
    return symbol.get_backend_symbol(FUSION)


def _block(symbol: mx.sym.Symbol, parameters: Mapping[str, mx.nd.NDArray]) -> gluon.SymbolBlock:
    block = gluon.SymbolBlock(symbol, mx.sym.var(INPUT, dtype="uint8"))
    for name, parameter in block.collect_params().items():
        parameter.shape = parameters[name].shape
        parameter.grad_req = "null"
        parameter.initialize(ctx=mx.cpu())
        parameter.set_data(parameters[name])
    block.hybridize(static_alloc=True, static_shape=True)
    return block


def _float_nodes(nodes: Sequence[dict[str, Any]], excluded: Sequence[str]) -> list[str]:
    """Return the names of the nodes in float: the excluded layers, and all after the last convolutions."""
    names = {layer: node for node, layer in layers_by_node(nodes).items()}
    unknown = [layer for layer in excluded if layer not in names]
    if unknown:
        raise UserError(
            f"excluded layer {unknown[0]!r}: the network has none of that name; its layers are "
            f"{', '.join(names)}"
        )
    before = before_convolutions(nodes)
    behind = [node["name"] for node, kept in zip(nodes, before) if node["op"] != "null" and not kept]
    return [*behind, *(names[layer] for layer in excluded)]


def _named(quantized: mx.sym.Symbol, symbol: mx.sym.Symbol) -> mx.sym.Symbol:
    """Restore names that mxnet changed.

    A fused node gets the name of its last operator, so that its output has the expected name. mxnet removes
    the copies that give outputs their names; they are added again.
    """
    record = json.loads(text_of(quantized))
    for node in record["nodes"]:
        if node["op"] == JOINED:
            inner = node["subgraphs"][0]
            node["name"] = inner["nodes"][inner["heads"][0][0]]["name"]
    outputs = zip(mx.sym.load_json(json.dumps(record)), symbol.list_outputs())
    return mx.sym.Group(
        [
            output if output.list_outputs() == [name] else mx.sym.identity(output, name=name[: -len(_OUTPUT)])
            for output, name in outputs
        ]
    )


def _widened(low: float, high: float) -> tuple[float, float]:
    return (low, high) if max(-low, high) > SMALLEST_RANGE else (0.0, SMALLEST_RANGE)
