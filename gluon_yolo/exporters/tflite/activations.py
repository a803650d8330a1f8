"""Activations as TensorFlow Lite's operators: steps of a graph on each number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

import numpy as np

from gluon_yolo.exporters.ir.graph import Node
from gluon_yolo.exporters.ir.unwritable import Unwritable
from gluon_yolo.exporters.tflite.arrays import Array, Arrays

Writer = Callable[[Arrays, Node, Sequence[Array], Sequence[np.ndarray]], Array]
_FLAT = 20.0  # from here on tanh(log(1 + exp(x))) is 1 in float32


def kind_of_clip(node: Node) -> str:
    """Return ``relu6`` for a clip within 0..6, else an empty string."""
    limits = (float(node.attributes["min"]), float(node.attributes["max"]))
    return "relu6" if limits == (0.0, 6.0) else ""


def simple(build: Arrays, node: Node, arrays: Sequence[Array], kind: str, **options: Any) -> Array:
    """Append an operator on each number."""
    native = arrays[0].scale is not None
    return build.add(kind, arrays, node.name, arrays[0].shape, native=native, **options)


def plain(kind: str) -> Writer:
    """Return a writer of an operator on each number."""
    return lambda build, node, arrays, weights: simple(build, node, arrays, kind)


def leaky_relu(build: Arrays, node: Node, arrays: Sequence[Array], weights: Sequence[np.ndarray]) -> Array:
    """Append a leaky ReLU."""
    return simple(build, node, arrays, "LEAKY_RELU", alpha=float(node.attributes["slope"]))


def prelu(build: Arrays, node: Node, arrays: Sequence[Array], weights: Sequence[np.ndarray]) -> Array:
    """Append a ReLU with a slope of each channel's own."""
    (array,), (slopes,) = arrays, weights
    if not array.is_map:
        raise Unwritable("an array that is no map")
    slopes = np.broadcast_to(slopes, array.shape[1:2]).reshape(1, 1, -1)
    term = build.file.constant(f"{node.name}_slopes", slopes)
    return build.add("PRELU", [array], node.name, array.shape, more=[term])


def clip(build: Arrays, node: Node, arrays: Sequence[Array], weights: Sequence[np.ndarray]) -> Array:
    """Append a ReLU6, or for other limits a maximum and a minimum."""
    if kind_of_clip(node):
        return simple(build, node, arrays, "RELU6")
    array = _by_number(build, "MAXIMUM", arrays[0], f"{node.name}_from", node.attributes["min"])
    return _by_number(build, "MINIMUM", array, node.name, node.attributes["max"])


def elu(build: Arrays, node: Node, arrays: Sequence[Array], weights: Sequence[np.ndarray]) -> Array:
    """Append ELU; with another alpha than TFLite's, 1, as its positive part and its negative one."""
    alpha = float(node.attributes["alpha"])
    if alpha == 1:
        return simple(build, node, arrays, "ELU")
    (array,) = arrays
    below = _by_number(build, "MINIMUM", array, f"{node.name}_below", 0.0)
    below = build.add("ELU", [below], f"{node.name}_curve", array.shape)
    below = _by_number(build, "MUL", below, f"{node.name}_scaled", alpha)
    above = build.add("RELU", [array], f"{node.name}_above", array.shape)
    return build.add("ADD", [above, below], node.name, array.shape)


def softplus(build: Arrays, node: Node, arrays: Sequence[Array], weights: Sequence[np.ndarray]) -> Array:
    """Append max(x, 0) + log(1 + exp(-|x|)), which does not overflow."""
    (array,) = arrays

    def step(kind: str, source: Array) -> Array:
        return build.add(kind, [source], f"{node.name}_{kind.lower()}", array.shape)

    power = step("EXP", step("NEG", step("ABS", array)))
    rest = step("LOG", _by_number(build, "ADD", power, f"{node.name}_sum", 1.0))
    return build.add("ADD", [step("RELU", array), rest], node.name, array.shape)


def tanh_of_softplus(build: Arrays, node: Node, array: Array) -> Array:
    """Append tanh(log(1 + exp(x))), a part of Mish, as n / (n + 2) with n = exp(x) (exp(x) + 2)."""
    array = build.in_float(array)
    low = _by_number(build, "MINIMUM", array, f"{node.name}_low", _FLAT)
    power = build.add("EXP", [low], f"{node.name}_exp", array.shape)
    more = _by_number(build, "ADD", power, f"{node.name}_more", 2.0)
    above = build.add("MUL", [power, more], f"{node.name}_above", array.shape)
    below = _by_number(build, "ADD", above, f"{node.name}_below", 2.0)
    return build.add("DIV", [above, below], node.name, array.shape)


def _by_number(build: Arrays, kind: str, array: Array, name: str, number: float) -> Array:
    """Append an operator on each number of an array and one that is the same for all."""
    return build.add(kind, [array], name, array.shape, more=[build.file.number(float(number))])
