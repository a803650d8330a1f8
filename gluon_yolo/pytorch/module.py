"""A Graph as a torch module, with parameters and statistics under the network's own names."""

from __future__ import annotations

import operator
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Callable

import numpy as np

from gluon_yolo.graph.node import Graph, Node, Output
from gluon_yolo.graph.trace import arrays, trace, trained_names
from gluon_yolo.mxnet_compat import gluon
from gluon_yolo.pytorch.batch_norm import BatchNorm, batch_norms
from gluon_yolo.pytorch.operators import attributes_of, operator_of
from gluon_yolo.pytorch.process_group import ProcessGroup
from gluon_yolo.torch_compat import fx, nn, torch


def block_module(
    block: gluon.HybridBlock,
    inputs: Sequence[str],
    processes: ProcessGroup | None = None,
    dtype: torch.dtype = torch.float32,
) -> fx.GraphModule:
    """Return a Gluon block as a module with copies of its arrays, in training mode.

    Args:
        block: initialized; what it does not train are buffers.
        inputs: names of its inputs, in order.
        processes: as :func:`graph_module` takes it.
        dtype: likewise.

    Raises:
        Unsupported: an operator has no counterpart.
    """
    trained = trained_names(block)
    return graph_module(trace(block, inputs), arrays(block), trained.__contains__, inputs, processes, dtype)


def graph_module(
    graph: Graph,
    arrays: Mapping[str, np.ndarray],
    trained: Callable[[str], bool],
    inputs: Sequence[str] | None = None,
    processes: ProcessGroup | None = None,
    dtype: torch.dtype = torch.float32,
) -> fx.GraphModule:
    """Return a graph as a module, called with its inputs, which returns the tuple of its outputs.

    Args:
        graph: of :func:`gluon_yolo.graph.trace.trace`, or read from a symbol's file.
        arrays: the value of each variable that is no input, by name; they are copied.
        trained: says of a name whether it is a parameter; statistics, constants and what is frozen, buffers.
        inputs: names of the variables that a call gives, in its order; None takes those without a value.
        processes: over whose batches a SyncBatchNorm normalises in training; None is this process's own.
        dtype: of the computation: what the graph calls float32, and the arrays.

    Raises:
        Unsupported: the graph has an operator that has no counterpart, or none for its attributes.
    """
    if inputs is None:
        inputs = [name for name in graph.variables if name not in arrays]
    build = _Build(graph, arrays, trained, inputs, dtype)
    for place, node in enumerate(graph.nodes):
        if not node.is_variable:
            build.add(place, node)
    for layer in batch_norms(build.root):
        layer.processes = processes or layer.processes
    build.result.output(tuple(build.read(source) for source in graph.outputs))
    module = fx.GraphModule(build.root, build.result)
    module.graph.owning_module = None  # a circle, which would keep all arrays until garbage is collected
    return module


_ARRAYS = ("gamma", "beta", "running_mean", "running_var")  # the arrays of a batch norm, in its order


class _Build:
    """A graph while it is turned into a module; the arguments are those of :func:`graph_module`."""

    def __init__(
        self,
        graph: Graph,
        arrays: Mapping[str, np.ndarray],
        trained: Callable[[str], bool],
        inputs: Sequence[str],
        dtype: torch.dtype,
    ) -> None:
        self.graph, self.arrays, self.trained, self.dtype = graph, arrays, trained, dtype
        self.root, self.result = nn.Module(), fx.Graph()
        self._variables = {name: self.result.placeholder(name) for name in inputs}
        self._any_array = self._variables[inputs[0]]
        self._computed: dict[Output, fx.Node] = {}
        self._uses: Counter[str] = Counter()

    def read(self, source: Output) -> fx.Node:
        """Return an array that a node reads; a variable is put at its place when it is first read."""
        node = self.graph.nodes[source.node]
        if not node.is_variable:
            return self._computed[source]
        if node.name not in self._variables:
            path, _, last = node.name.rpartition(".")
            self._hold(self._module(path), last, node.name)
            self._variables[node.name] = self.result.get_attr(node.name)
        return self._variables[node.name]

    def add(self, place: int, node: Node) -> None:
        """Append the call of a node."""
        found, attributes = operator_of(self.graph, node), attributes_of(node)
        if found.takes_dtype:
            attributes["dtype"] = self.dtype
        if found.is_layer:
            layer = found.function(*self.graph.read_by(node), **attributes)
            self._computed[Output(place)] = self._layer(place, node, layer)
            return
        sources = [self.read(source) for source in node.inputs] or [self._any_array]
        result = self.result.call_function(found.function, tuple(sources), attributes)
        self._computed[Output(place)] = result
        if node.op == "SliceChannel":
            for number in range(attributes["num_outputs"]):
                part = self.result.call_function(operator.getitem, (result, number))
                self._computed[Output(place, number)] = part

    def _layer(self, place: int, node: Node, layer: nn.Module) -> fx.Node:
        """Append the call of a layer; a batch norm that stands at several places is one layer."""
        x, name = self.read(node.inputs[0]), f"layer{place}"
        if not isinstance(layer, BatchNorm):
            self.root.add_module(name, layer)
            return self.result.call_module(name, (x,))
        names = [source.name for source in self.graph.read_by(node)[1:]]
        name = os.path.commonprefix(names).rstrip("._")
        self._uses[name] += 1
        if self._uses[name] == 1:
            for role, array in zip(_ARRAYS, names):
                self._hold(layer, role, array)
            path, _, last = name.rpartition(".")
            self._module(path).add_module(last, layer)
        return self.result.call_module(name, (x, self._uses[name] - 1))

    def _module(self, path: str) -> nn.Module:
        """Return the module of a place, and make those that are not there."""
        module = self.root
        for word in filter(None, path.split(".")):
            if word not in module._modules:
                module.add_module(word, nn.Module())
            module = module._modules[word]
        return module

    def _hold(self, module: nn.Module, attribute: str, name: str) -> None:
        """Give a module an array, as a parameter if it is trained."""
        tensor = torch.tensor(self.arrays[name], dtype=self.dtype)
        if self.trained(name):
            module.register_parameter(attribute, nn.Parameter(tensor))
        else:
            module.register_buffer(attribute, tensor)
