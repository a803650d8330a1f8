"""Layers, parameters and multiply-adds of a network for one image, counted on its symbolic graph."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from gluon_yolo.graph.node import Graph, Node
from gluon_yolo.graph.symbol_text import text_of
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.mxnet_compat import gluon, mx
from gluon_yolo.tables import frame, html_lines, html_table

INPUT = "data"
_TITLES = ("layer", "type", "output", "parameters", "multiply-adds")
Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Layer:
    """One operator of the graph.

    Args:
        name: the layer's name in the network where it has parameters, else its name in the graph.
        type: mxnet's name of the operator.
        output: shape of its first output, without the batch axis.
        parameters: number of its parameters, running statistics included.
        statistics: number of its running statistics, which have no gradient.
        multiply_adds: of a convolution or a dense layer, for one image, without biases.
        reshapes: whether the output has another shape than the input, or there are several inputs.
    """

    name: str
    type: str
    output: Shape
    parameters: int
    statistics: int
    multiply_adds: int
    reshapes: bool


@dataclasses.dataclass(frozen=True)
class Summary:
    """The layers of a network in the order of computation.

    Args:
        network: its name in the zoo.
        size_hw: height and width of the input in pixels, for which shapes and multiply-adds are counted.
        layers: all operators.
        remarks: lines on the file that describes the network.
    """

    network: str
    size_hw: tuple[int, int]
    layers: Sequence[Layer]
    remarks: tuple[str, ...] = ()

    @property
    def parameters(self) -> int:
        """Number of parameters in a parameter file, without the constants of the input's normalisation."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def statistics(self) -> int:
        """Number of running statistics among the parameters."""
        return sum(layer.statistics for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of all layers for one image."""
        return sum(layer.multiply_adds for layer in self.layers)

    @property
    def flops(self) -> int:
        """Floating-point operations for one image: two per multiply-add."""
        return 2 * self.multiply_adds

    def __str__(self) -> str:
        """Return a table of the layers that hold parameters or change a shape, totals and remarks."""
        rows = [_TITLES, *self._rows()]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
        lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
        lines.insert(1, "-" * len(lines[0]))
        return "\n".join([*lines, "-" * len(lines[0]), *self._totals(), *self.remarks])

    def _rows(self) -> list[tuple[str, ...]]:
        """Return the cells of the layers that are shown."""
        shown = [layer for layer in self.layers if layer.parameters or layer.reshapes]
        return [
            (
                *(layer.name, layer.type, " x ".join(map(str, layer.output))),
                *(_count(layer.parameters), _count(layer.multiply_adds)),
            )
            for layer in shown
        ]

    def _totals(self) -> list[str]:
        height, width = self.size_hw
        return [
            f"{self.network}, one picture of {height} x {width}",
            f"parameters     {self.parameters / 1e6:10.3f} M   (running statistics: {self.statistics:,})",
            f"multiply-adds  {self.multiply_adds / 1e9:10.3f} G   (convolutions)",
            f"FLOPs          {self.flops / 1e9:10.3f} G   (two for each multiply-add)",
        ]

    def to_df(self) -> Any:
        """Return a pandas frame with a row for each operator: ``Layer``'s fields.

        Raises:
            MissingDependency: pandas is not installed.
        """
        return frame([dataclasses.asdict(layer) for layer in self.layers])

    def _repr_html_(self) -> str:
        """Return the table and the totals, as a notebook shows them."""
        lines = [" ".join(line.split()) for line in self._totals()]
        return html_table(_TITLES, self._rows()) + html_lines("\n".join([*lines, *self.remarks]))


def summarize(net: DetectionNetwork, size_hw: tuple[int, int]) -> Summary:
    """Count the parameters and multiply-adds of a detector; its weights need not be initialized.

    Args:
        net: the network.
        size_hw: height and width of the input in pixels, multiples of the spec's largest stride.
    """
    symbol = mx.sym.Group(list(net(mx.sym.var(INPUT))))
    internals = symbol.get_internals()
    _, output_shapes, _ = internals.infer_shape(**{INPUT: (1, *size_hw, 3)})
    shapes = dict(zip(internals.list_outputs(), output_shapes))
    statistics = set(symbol.list_auxiliary_states())
    places = _places(net)
    graph = Graph.from_json(text_of(symbol))
    counted: set[str] = set()
    layers = []
    for node in graph.nodes:
        if node.is_variable:
            continue
        inputs = graph.read_by(node)
        own = [source.name for source in inputs if source.name in places]
        new = [name for name in own if name not in counted]  # a shared parameter counts once
        counted.update(new)
        computed = [source for source in inputs if not source.is_variable or source.name == INPUT]
        fed = [_output_shape(source, shapes) for source in computed]
        output = _output_shape(node, shapes)
        layers.append(
            Layer(
                name=places[own[0]] if own else node.name,
                type=node.op,
                output=output[1:],
                parameters=sum(math.prod(shapes[name]) for name in new),
                statistics=sum(math.prod(shapes[name]) for name in new if name in statistics),
                multiply_adds=_multiply_adds(node.op, output, fed, [shapes[name] for name in own]),
                reshapes=fed != [output],
            )
        )
    return Summary(net.zoo_name, size_hw, tuple(layers), tuple(net.remarks))


def _places(net: gluon.Block) -> dict[str, str]:
    """Return, for each parameter's name in the graph, the name of its layer; constants are left out."""
    params = net._collect_params_with_prefix().items()
    return {p.name: place.rpartition(".")[0] for place, p in params if not isinstance(p, gluon.Constant)}


def _output_shape(node: Node, shapes: dict[str, Shape]) -> Shape:
    """Return the shape of the first visible output of a graph node."""
    names = (f"{node.name}_output", f"{node.name}_output0", node.name)
    return next(shapes[name] for name in names if name in shapes)


def _multiply_adds(op: str, output: Shape, fed: Sequence[Shape], parameters: Sequence[Shape]) -> int:
    """Return an operator's multiply-adds: outputs (inputs if transposed) times the weights per output."""
    if op in ("Convolution", "FullyConnected"):
        return math.prod(output) * math.prod(parameters[0][1:])
    if op == "Deconvolution":
        return math.prod(fed[0]) * math.prod(parameters[0][1:])
    return 0


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Align words to the left and numbers to the right."""
    words = [cell.ljust(width) for cell, width in zip(row[:3], widths)]
    return words + [cell.rjust(width) for cell, width in zip(row[3:], widths[3:])]
