"""A step of a graph that is read: a node of mxnet's symbol, and the values of its inputs."""

from __future__ import annotations

import dataclasses
from typing import Any, Union

import numpy as np

from gluon_yolo.graph.node import Node


class Unreadable(Exception):
    """An operator is used in an unsupported way; the message tells how."""


@dataclasses.dataclass(frozen=True)
class Parted:
    """A map whose channels are reshaped to rows of ``width``, before some of them are selected."""

    array: str
    rows: int
    width: int


@dataclasses.dataclass(frozen=True)
class Stacked:
    """Maps of one size that are stacked, before they are reshaped to one map."""

    arrays: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class EdgePadded:
    """A map whose last row and column are repeated ``down`` and ``across`` times, before it is pooled."""

    array: str
    down: int
    across: int


# The name of an array in the graph, a constant array, or an intermediate form of an array in the graph.
Value = Union[str, np.ndarray, Parted, Stacked, EdgePadded]


@dataclasses.dataclass(frozen=True)
class Step:
    """A node of a symbol.

    Args:
        node: the node.
        inputs: values of its inputs.
        input_names: names of its inputs in the symbol.
    """

    node: Node
    inputs: tuple[Value, ...]
    input_names: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the node."""
        return self.node.name

    def get(self, name: str, default: Any) -> Any:
        """Return an attribute: a number, a bool, a tuple, None, or a word."""
        return self.node.attributes.get(name, default)

    def pair(self, name: str, default: int) -> tuple[int, int]:
        """Return an attribute's vertical and horizontal value; mxnet leaves it empty for the default."""
        given = tuple(self.get(name, ()) or (default, default))
        if len(given) != 2:
            raise Unreadable(f"{name} {given} is not for maps")
        return given

    def expect(self, name: str, *wanted: Any) -> None:
        """Raise Unreadable unless an attribute has one of these values; the first is mxnet's default."""
        given = self.get(name, wanted[0])
        if given not in wanted:
            raise Unreadable(f"{name}={given}")

    def array(self, place: int = 0) -> str:
        """Return the name of an input that is an array in the graph."""
        value = self.inputs[place]
        if not isinstance(value, str):
            raise Unreadable(f"its input {self.input_names[place]} is no map")
        return value

    def known(self, place: int) -> np.ndarray:
        """Return an input that is a constant array, in float64."""
        value = self.inputs[place]
        if not isinstance(value, np.ndarray):
            raise Unreadable(f"its input {self.input_names[place]} is no parameter")
        return value.astype(np.float64)
