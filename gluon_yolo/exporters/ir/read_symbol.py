"""Read a network's symbol and parameters into an InferenceGraph."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.exporters.ir.fold import fold
from gluon_yolo.exporters.ir.graph import INPUT, Builder, InferenceGraph
from gluon_yolo.exporters.ir.symbol_node import Step, Unreadable, Value
from gluon_yolo.exporters.ir.symbol_ops import READERS
from gluon_yolo.exporters.mxnet import trace
from gluon_yolo.graph.node import Graph, Output
from gluon_yolo.graph.symbol_text import text_of
from gluon_yolo.models.detector import DetectionNetwork


def read_network(net: DetectionNetwork) -> InferenceGraph:
    """Turn a network into a graph whose outputs are its raw maps ``raw_0``, ``raw_1``, ...

    Batch normalisation and the normalisation of the input are folded into the convolutions where this is
    exact (:func:`gluon_yolo.exporters.ir.fold.fold`).

    Args:
        net: an initialized network.

    Raises:
        UserError: an operator is not supported.
    """
    parameters = {
        name: parameter_io.array(parameter) for name, parameter in trace.parameters(net, None).items()
    }
    return read_symbol(text_of(trace.trace(net, None)), parameters, net.zoo_name)


def read_symbol(text: str, parameters: Mapping[str, np.ndarray], model: str) -> InferenceGraph:
    """Turn a symbol into a graph, folded as in :func:`read_network`; its outputs keep their names.

    Args:
        text: the symbol's JSON; its input is ``data``, (B, H, W, 3).
        parameters: values of all other inputs, by name.
        model: name in messages.

    Raises:
        UserError: an operator, or its use, is not supported.
    """
    graph = Graph.from_json(text)
    build = Builder()
    values: dict[Output, Value] = {}
    for place, node in enumerate(graph.nodes):
        if node.is_variable:
            values[Output(place)] = INPUT if node.name == INPUT else parameters[node.name]
            continue
        names = tuple(source.name for source in graph.read_by(node))
        step = Step(node, tuple(values[source] for source in node.inputs), names)
        try:
            if node.op not in READERS:
                raise Unreadable("this operator has no counterpart there")
            given = READERS[node.op](step, build)
        except Unreadable as problem:
            raise SettingError(
                f"{model}: operator {node.op} ({node.name}) cannot be written for other runtimes: {problem}; "
                "export the network with {format} symbol"
            ) from None
        outputs = given if isinstance(given, list) else [given]
        values.update({Output(place, number): value for number, value in enumerate(outputs)})
    heads = [(graph.nodes[output.node].name, values[output]) for output in graph.outputs]
    return fold(build.nodes, build.weights, {name: _array(name, value, model) for name, value in heads})


def _array(name: str, value: Value, model: str) -> str:
    if not isinstance(value, str):
        raise UserError(f"{model}: output {name} is no array that the network computes")
    return value
