"""Step: a node of mxnet's symbol, and what stands at its inputs while a graph is read."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping
from typing import Any, Union

import numpy as np


class Unreadable(Exception):
    """An operator is used in a way that a graph has no word for; the message says which."""


@dataclasses.dataclass(frozen=True)
class Parted:
    """A map whose channels are counted in rows of ``width``, before some of them are taken."""

    array: str
    rows: int
    width: int


@dataclasses.dataclass(frozen=True)
class Stacked:
    """Maps of one size, one behind the other, before they are counted as one."""

    arrays: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class EdgePadded:
    """A map whose last row and column stand there ``down`` and ``across`` times more, before it is pooled."""

    array: str
    down: int
    across: int


# The name of an array that the graph computes, an array that is known, or something on the way to the former.
Value = Union[str, np.ndarray, Parted, Stacked, EdgePadded]


@dataclasses.dataclass(frozen=True)
class Step:
    """A node of a symbol.

    Args:
        name: its own.
        op: mxnet's operator.
        inputs: what its inputs are.
        input_names: what they are called in the symbol.
        attributes: as mxnet writes them.
    """

    name: str
    op: str
    inputs: tuple[Value, ...]
    input_names: tuple[str, ...]
    attributes: Mapping[str, str]

    def get(self, name: str, default: Any) -> Any:
        """Return an attribute as a Python value: a number, a truth value, a tuple, None, or a word."""
        if name not in self.attributes:
            return default
        try:
            return ast.literal_eval(self.attributes[name])
        except (ValueError, SyntaxError):
            return self.attributes[name]

    def pair(self, name: str, default: int) -> tuple[int, int]:
        """Return an attribute down and across; mxnet leaves it empty for its default."""
        given = tuple(self.get(name, ()) or (default, default))
        if len(given) != 2:
            raise Unreadable(f"{name} {given} is not for maps")
        return given

    def expect(self, name: str, *wanted: Any) -> None:
        """Raise Unreadable unless an attribute is one of these, of which the first is mxnet's default."""
        given = self.get(name, wanted[0])
        if given not in wanted:
            raise Unreadable(f"{name}={given}")

    def array(self, place: int = 0) -> str:
        """Return an input that the graph computes."""
        value = self.inputs[place]
        if not isinstance(value, str):
            raise Unreadable(f"its input {self.input_names[place]} is no map")
        return value

    def known(self, place: int) -> np.ndarray:
        """Return an input that is known, in double precision."""
        value = self.inputs[place]
        if not isinstance(value, np.ndarray):
            raise Unreadable(f"its input {self.input_names[place]} is no parameter")
        return value.astype(np.float64)
