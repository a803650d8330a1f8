"""Folding: affine steps become part of the convolutions before or after them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from gluon_yolo.exporters.ir.graph import OPERATORS, InferenceGraph, Node, pruned


def fold(
    nodes: Sequence[Node], weights: Mapping[str, np.ndarray], outputs: Mapping[str, str]
) -> InferenceGraph:
    """Return a graph with the same results and fewer steps.

    Consecutive affine steps become one. An affine step after a convolution (mostly batch normalisation)
    becomes part of it. One before convolutions (the normalisation of the input) becomes part of them if they
    have no padding; with padding only its scale does, because the shift is not zero where the padding is.
    Computed in float64.

    Args:
        nodes: as read.
        weights: of the nodes, of any float type.
        outputs: of the graph: node by the name of the output.
    """
    work = _Work(nodes, weights, outputs)
    for step in (work.join, work.fold_back, work.fold_ahead, work.drop):
        for node in list(work.nodes.values()):
            if node.op == "affine" and node.name in work.nodes:
                step(node)
    return pruned(list(work.nodes.values()), work.weights, work.outputs)


class _Work:
    """A graph during folding: nodes by name, in order, and weights in float64."""

    def __init__(
        self, nodes: Sequence[Node], weights: Mapping[str, np.ndarray], outputs: Mapping[str, str]
    ) -> None:
        self.nodes = {node.name: node for node in nodes}
        self.weights = {name: array.astype(np.float64) for name, array in weights.items()}
        self.outputs = dict(outputs)

    def join(self, node: Node) -> None:
        """Join an affine step with the affine step before it."""
        before = self.nodes.get(node.inputs[0])
        if before is not None and before.op == "affine" and self._only_reader(before.name):
            (first_scale, first_shift), (scale, shift) = self._numbers(before), self._numbers(node)
            self._rewrite(node, (before.inputs[0],), (first_scale * scale, first_shift * scale + shift))
            del self.nodes[before.name]

    def fold_back(self, node: Node) -> None:
        """Fold an affine step into the convolution before it."""
        before = self.nodes.get(node.inputs[0])
        if before is None or before.op != "convolution" or not self._only_reader(before.name):
            return
        scale, shift = self._numbers(node)
        weight, bias = self._convolution(before)
        channels = len(weight)
        scale, shift = np.broadcast_to(scale, channels), np.broadcast_to(shift, channels)
        self._rewrite(before, before.inputs[:1], (weight * scale[:, None, None, None], bias * scale + shift))
        self._bypass(node)

    def fold_ahead(self, node: Node) -> None:
        """Fold an affine step, or its scale, into the convolutions after it."""
        readers = [other for other in self.nodes.values() if node.name in other.inputs]
        if node.name in self.outputs.values() or not all(other.op == "convolution" for other in readers):
            return
        scale, shift = self._numbers(node)
        if not scale.all():
            return
        whole = not shift.any() or not any(any(other.attributes["padding"]) for other in readers)
        for other in readers:
            weight, bias = self._convolution(other)
            count = weight.shape[1] * other.attributes["groups"]
            scales = _per_weight(np.broadcast_to(scale, count), other, weight)
            if whole:
                shifts = _per_weight(np.broadcast_to(shift, count), other, weight)
                bias = bias + (weight * shifts).sum(axis=(1, 2, 3))
            self._rewrite(other, other.inputs[:1], (weight * scales, bias))
        if whole:
            self._bypass(node)
        else:
            self._rewrite(node, node.inputs[:1], (np.ones_like(scale), shift / scale))

    def drop(self, node: Node) -> None:
        """Remove an affine step that has no effect."""
        scale, shift = self._numbers(node)
        if (scale == 1).all() and not shift.any():
            self._bypass(node)

    def _numbers(self, node: Node) -> tuple[np.ndarray, np.ndarray]:
        scale, shift = (self.weights[name] for name in node.inputs[1:])
        return scale, shift

    def _convolution(self, node: Node) -> tuple[np.ndarray, np.ndarray]:
        weight = self.weights[node.inputs[1]]
        bias = self.weights[node.inputs[2]] if len(node.inputs) > 2 else np.zeros(len(weight))
        return weight, bias

    def _only_reader(self, name: str) -> bool:
        """Return whether exactly one node reads an array, and the array is no output."""
        readers = [node for node in self.nodes.values() if name in node.inputs]
        return len(readers) == 1 and name not in self.outputs.values()

    def _rewrite(self, node: Node, arrays: tuple[str, ...], weights: tuple[np.ndarray, np.ndarray]) -> None:
        """Give a node other inputs and new weights; its old weights may belong to other nodes too."""
        others = {name for other in self.nodes.values() if other is not node for name in other.inputs}
        if node.op == "affine":
            scale, shift = np.broadcast_arrays(*weights)
            weights = (scale, shift)
        names = []
        for kind, array in zip(OPERATORS[node.op].weights, weights):
            name = f"{node.name}_{kind}"
            names.append(f"{node.name}_own_{kind}" if name in others else name)
            self.weights[names[-1]] = array
        self.nodes[node.name] = dataclasses.replace(node, inputs=(*arrays, *names))

    def _bypass(self, node: Node) -> None:
        """Remove a node: its readers read its input."""
        source = node.inputs[0]
        del self.nodes[node.name]
        for other in list(self.nodes.values()):
            if node.name in other.inputs:
                inputs = tuple(source if name == node.name else name for name in other.inputs)
                self.nodes[other.name] = dataclasses.replace(other, inputs=inputs)
        self.outputs = {name: source if of == node.name else of for name, of in self.outputs.items()}


def _per_weight(per_channel: np.ndarray, node: Node, weight: np.ndarray) -> np.ndarray:
    """Turn one number per input channel into one per weight of a convolution, (O, C / groups, 1, 1)."""
    groups = node.attributes["groups"]
    by_group = per_channel.reshape(groups, -1)
    return by_group.repeat(len(weight) // groups, axis=0)[:, :, None, None]
