"""The registry of operators: which of mxnet's PyTorch computes here, and with which attributes.

Everything else is refused when a graph is read, by name, so that nothing fails or differs in a training step.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Collection, Mapping
from typing import Any, Callable, Union

from gluon_yolo.errors import UserError
from gluon_yolo.graph.node import Graph, Node

# Attributes that change no value: of GPU kernels, and the number of inputs.
IGNORED = ("num_args", "workspace", "cudnn_tune", "cudnn_off", "ctx")
FLOAT = "float32"  # what the graphs call the type of the computation

Allowed = Union[Collection[Any], Callable[[Any], bool]]


@dataclasses.dataclass(frozen=True)
class Operator:
    """One of mxnet's operators.

    Args:
        function: of tensors, with mxnet's attributes as keywords and mxnet's defaults. With a keyword
            ``dtype`` it gets the type of the computation. That of a layer returns the module to call with the
            first input.
        allowed: by attribute, the values that the function is right for, or a test of a value.
        together: returns what is wrong with attributes that are allowed one by one; empty when nothing is.
        is_layer: whether it is a layer: it differs between training and inference, or has statistics.
    """

    function: Callable[..., Any]
    allowed: Mapping[str, Allowed]
    together: Callable[..., str]
    is_layer: bool

    @property
    def takes_dtype(self) -> bool:
        """Whether the function asks for the type of the computation."""
        return "dtype" in inspect.signature(self.function).parameters


OPERATORS: dict[str, Operator] = {}


def operator(
    *names: str,
    together: Callable[..., str] = lambda **attributes: "",
    is_layer: bool = False,
    **allowed: Allowed,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function into ``OPERATORS`` under mxnet's names for it; the arguments are Operator's."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        OPERATORS.update(dict.fromkeys(names, Operator(function, allowed, together, is_layer)))
        return function

    return enter


class Unsupported(UserError):
    """A graph has an operator, or one with attributes, that has no counterpart here."""

    def __init__(self, node: Node, problem: str):
        super().__init__(
            f"PyTorch cannot compute this network: operator {node.op} ({node.name}) {problem}; use mxnet"
        )


def attributes_of(node: Node) -> dict[str, Any]:
    """Return the attributes that change a value."""
    return {
        name: value
        for name, value in node.attributes.items()
        if name not in IGNORED and not name.startswith("__")
    }


def operator_of(graph: Graph, node: Node) -> Operator:
    """Return the operator of a node.

    Raises:
        Unsupported: it is not known, or not with these inputs or attributes.
    """
    if node.op not in OPERATORS:
        raise Unsupported(node, "has no counterpart")
    found, attributes = OPERATORS[node.op], attributes_of(node)
    for name, value in attributes.items():
        if name not in found.allowed or not _allows(found.allowed[name], value):
            raise Unsupported(node, f"with {name}={value} has no counterpart")
    given = {**attributes, "dtype": FLOAT} if found.takes_dtype else attributes
    try:
        # An operator without inputs gets an array that says on which device to compute.
        inspect.signature(found.function).bind(*(graph.read_by(node) or (None,)), **given)
    except TypeError as error:
        raise Unsupported(node, f"cannot be read ({error})") from error
    problem = found.together(**attributes)
    if problem:
        raise Unsupported(node, f"with {problem} has no counterpart")
    return found


def _allows(allowed: Allowed, value: Any) -> bool:
    return allowed(value) if callable(allowed) else value in allowed


def is_pair(value: Any) -> bool:
    """Return whether an attribute has a vertical and a horizontal value, or none, which is the default."""
    return isinstance(value, tuple) and len(value) in (0, 2)


def is_whole(value: Any) -> bool:
    """Return whether an attribute is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Return whether an attribute is a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_axes(value: Any) -> bool:
    """Return whether an attribute is one axis or several."""
    return is_whole(value) or (isinstance(value, tuple) and bool(value) and all(map(is_whole, value)))


BOOL = (False, True)
