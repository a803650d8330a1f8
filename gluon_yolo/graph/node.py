"""Graph: mxnet's symbol as nodes whose attributes are Python values. Needs no mxnet."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from gluon_yolo import json_text

VARIABLE = "null"  # mxnet's operator of an input, a parameter, a statistic or a constant


class Output(NamedTuple):
    """One of the arrays that a node returns.

    Args:
        node: its place among the nodes of the graph.
        number: of the array, for an operator that returns several.
    """

    node: int
    number: int = 0


@dataclasses.dataclass(frozen=True)
class Node:
    """A variable, or one call of an operator.

    Args:
        name: of the node.
        op: mxnet's operator, or ``VARIABLE``.
        inputs: what it reads, in the operator's order.
        attributes: numbers, bools, tuples, None, or words; mxnet writes only those that were given.
    """

    name: str
    op: str
    inputs: tuple[Output, ...] = ()
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def is_variable(self) -> bool:
        """Whether the node has its value from outside of the graph."""
        return self.op == VARIABLE


@dataclasses.dataclass(frozen=True)
class Graph:
    """The steps of a computation, in an order in which they can be taken.

    Args:
        nodes: each reads from nodes before it only.
        outputs: what the graph returns.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]

    @classmethod
    def from_json(cls, text: str) -> Graph:
        """Read a symbol as mxnet writes it (``Symbol.tojson``)."""
        record = json_text.loads(text)
        nodes = (
            Node(
                node["name"],
                node["op"],
                _outputs(node["inputs"]),
                {key: _parsed(value) for key, value in node.get("attrs", {}).items()},
            )
            for node in record["nodes"]
        )
        return cls(tuple(nodes), _outputs(record["heads"]))

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables, in order."""
        return tuple(node.name for node in self.nodes if node.is_variable)

    def read_by(self, node: Node) -> tuple[Node, ...]:
        """Return the nodes whose arrays a node reads, in the operator's order."""
        return tuple(self.nodes[source.node] for source in node.inputs)


def _outputs(entries: list[list[int]]) -> tuple[Output, ...]:
    """Turn mxnet's triples of node, output and version into outputs."""
    return tuple(Output(node, number) for node, number, *_ in entries)


def _parsed(value: str) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, RecursionError, MemoryError):  # the last two: signs by the thousand
        return value
