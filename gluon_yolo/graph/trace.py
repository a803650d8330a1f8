"""Trace a Gluon block into a Graph, and read the values of its variables."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.graph.node import Graph
from gluon_yolo.graph.symbol_text import text_of
from gluon_yolo.mxnet_compat import autograd, gluon, mx


def trace(block: gluon.HybridBlock, inputs: Sequence[str]) -> Graph:
    """Return the graph of a block.

    A variable has the name of the parameter's place in the block, ``backbone.stages.0.0.weight``. A parameter
    that is at several places has the name of the first.

    Nothing is recorded while the block is traced: blocks whose kernels mxnet cannot train on a CPU replace
    them by others then (``RouteBlock``, ``BatchNormReLU``), which is no part of the network.

    Args:
        block: with all layers; its weights need no values.
        inputs: names of its inputs, in order.
    """
    with autograd.pause(train_mode=False):
        given = block(*(mx.sym.var(name) for name in inputs))
    outputs = list(given) if isinstance(given, (tuple, list)) else [given]
    graph = Graph.from_json(text_of(mx.sym.Group(outputs)))
    places: dict[str, str] = {}
    for place, parameter in block._collect_params_with_prefix().items():
        places.setdefault(parameter.name, place)
    renamed = (
        dataclasses.replace(node, name=places.get(node.name, node.name)) if node.is_variable else node
        for node in graph.nodes
    )
    return dataclasses.replace(graph, nodes=tuple(renamed))


def arrays(block: gluon.Block) -> dict[str, np.ndarray]:
    """Return the values of a block's parameters, statistics and constants by their place in it."""
    found = parameter_io.on_cpu(block._collect_params_with_prefix())
    return {place: array.asnumpy() for place, array in found.items()}


def trained_names(block: gluon.Block) -> frozenset[str]:
    """Return the places of the parameters that have a gradient: no statistics, constants or frozen ones."""
    parameters = block._collect_params_with_prefix().items()
    return frozenset(place for place, parameter in parameters if parameter.grad_req != "null")
