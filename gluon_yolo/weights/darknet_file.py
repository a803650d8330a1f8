"""Darknet ``.weights`` files: to arrays by layer, and back to the same bytes.

A file has a header and little-endian float32 values. For each convolutional layer, in the order of the cfg:
bias (beta where there is batch normalisation); then, with batch normalisation, gamma, mean and variance; then
the kernel. A partial file (``*.conv.57``, ``darknet53.conv.74``) ends after some layer.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.errors import UserError
from gluon_yolo.models.darknet.layers import Convolution
from gluon_yolo.models.darknet.plan import Plan
from gluon_yolo.weights import darknet_heads
from gluon_yolo.weights.darknet_header import Header, read_parts
from gluon_yolo.weights.darknet_layer import FLOAT, LayerShape, LayerWeights, can_be_variance

if TYPE_CHECKING:
    from gluon_yolo.models.darknet.blocks import ConvolutionBlock
    from gluon_yolo.models.darknet.network import DarknetNetwork


# Parameter names of the fields of LayerWeights, with and without batch normalisation.
NORMALIZED = {
    "bias": "norm.beta",
    "gamma": "norm.gamma",
    "mean": "norm.running_mean",
    "variance": "norm.running_var",
    "kernel": "convolution.weight",
}
PLAIN = {"bias": "convolution.bias", "kernel": "convolution.weight"}


def named_arrays(weights: Weights) -> dict[str, np.ndarray]:
    """Return a file's arrays by the network's parameter names, such as ``layer3.norm.gamma``."""
    return {
        f"layer{index}.{place}": getattr(layer, field)
        for index, layer in weights.layers.items()
        for field, place in (PLAIN if layer.gamma is None else NORMALIZED).items()
    }


def get_weights(net: DarknetNetwork, header: Header | None = None) -> Weights:
    """Return the parameters of a network as a complete darknet file.

    Args:
        net: an initialized network.
        header: of the file; None is version 0.2.5 with no images seen.
    """
    layers = {layer.index: _layer_weights(block) for layer, block in net.convolutions}
    return Weights(header or Header(), layers, whole=True)


def _layer_weights(block: ConvolutionBlock) -> LayerWeights:
    places = PLAIN if block.norm is None else NORMALIZED
    parameters = block._collect_params_with_prefix()
    return LayerWeights(**{field: parameter_io.array(parameters[place]) for field, place in places.items()})


@dataclasses.dataclass(frozen=True)
class Weights:
    """The content of a weights file.

    Args:
        header: of the file.
        layers: by darknet's index of the layer; of a partial file the first layers.
        whole: whether the file has every layer of the cfg, with the cfg's shapes.
        other_heads: channels of the heads' convolutions, by index, where they differ from the cfg's.
        rest: bytes after the last layer: more levels than the cfg has.
    """

    header: Header
    layers: Mapping[int, LayerWeights]
    whole: bool
    other_heads: Mapping[int, int] = dataclasses.field(default_factory=dict)
    rest: int = 0

    def __str__(self) -> str:
        """Return how many layers there are."""
        extent = "all" if self.whole else f"layers 0 to {max(self.layers)}, a partial file:"
        return f"{extent} {len(self.layers)} convolutional layers, {self.header.seen} pictures seen"

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the file.

        Raises:
            UserError: it cannot be written.
        """
        parts = [self.header.to_bytes(), *(self.layers[index].to_bytes() for index in sorted(self.layers))]
        try:
            Path(path).write_bytes(b"".join(parts))
        except OSError as error:
            raise UserError(f"{os.fspath(path)}: cannot be written ({error.strerror or error})") from error


def read_weights(path: str | os.PathLike[str], plan: Plan) -> Weights:
    """Read a complete or partial weights file; its heads can have other classes or anchors than the plan.

    Raises:
        UserError: as for :func:`read_layers`.
    """
    anchors = {head.inputs[0]: len(head.anchors) for head in plan.heads}
    return read_layers(path, shapes_of(plan), anchors, plan.cfg.path)


def shapes_of(plan: Plan) -> list[LayerShape]:
    """Return the layer shapes of a weights file for a plan."""
    return [_shape(layer) for layer in plan.convolutions]


def read_layers(
    path: str | os.PathLike[str], shapes: Sequence[LayerShape], heads: Mapping[int, int], network: str
) -> Weights:
    """Read a weights file as layers.

    Args:
        path: of the file.
        shapes: of the layers, in the file's order; a partial file has the first of them.
        heads: number of anchors by the index of a head's convolution; these can have other channels.
        network: name in messages.

    Raises:
        UserError: the file cannot be read, is no weights file, ends within a layer, continues after the last
            one, has no layer, or its values cannot be weights.
    """
    parts = list(read_parts(path))
    errors = []
    for number, (header, data) in enumerate(parts):
        try:
            layers = cut_layers(path, data, shapes, network)
        except UserError as error:
            errors.append(error)
            continue
        whole = len(layers) == len(shapes)
        if whole or number == 0:
            return Weights(header, layers, whole)
    for find in (darknet_heads.find, darknet_heads.find_in_longer):
        for header, data in parts:
            found = find(data, shapes, heads)
            if found:
                # A head with the cfg's channels has other classes too.
                others = {shape.index: shape.kernel[0] for shape in found if shape.index in heads}
                end = FLOAT.itemsize * sum(shape.count for shape in found)
                layers = cut_layers(path, data[:end], found, network)
                return Weights(header, layers, False, others, len(data) - end)
    raise errors[0]


def cut_layers(
    path: str | os.PathLike[str], data: bytes, shapes: Sequence[LayerShape], network: str
) -> dict[int, LayerWeights]:
    """Split a file's values into layers by index, up to the end of the file.

    Args:
        path: of the file, for messages.
        data: its values.
        shapes: of the layers, in the file's order.
        network: name in messages.

    Raises:
        UserError: the file ends within a layer, continues after the last one, has no layer, or its values
            cannot be weights.
    """
    path, place = os.fspath(path), 0
    layers: dict[int, LayerWeights] = {}
    for shape in shapes:
        if place == len(data):
            break
        wanted = FLOAT.itemsize * shape.count
        if len(data) - place < wanted:
            raise _too_short(path, shape, wanted, len(data) - place)
        numbers = np.frombuffer(data, FLOAT, shape.count, place)
        layers[shape.index] = _checked(path, shape, shape.cut(numbers))
        place += wanted
    if place < len(data):
        rest = len(data) - place
        why = "these are the weights of another cfg, such as one with more levels"
        if rest % FLOAT.itemsize:
            why += ", or something was added to the file; numbers have 4 bytes each"
        raise UserError(f"{path}: goes on for {rest} bytes after the last layer of {network}: {why}")
    if not layers:
        raise UserError(f"{path}: holds a header and no weights")
    return layers


def _shape(layer: Convolution) -> LayerShape:
    name = f"[{layer.section.name}] on line {layer.section.line} of {layer.section.path}"
    return LayerShape(layer.index, layer.weight_shape, layer.normalized, name)


def _checked(path: str, shape: LayerShape, found: LayerWeights) -> LayerWeights:
    """Return the weights after a check of their values, which the file of another cfg seldom passes.

    Raises:
        UserError: a value is not finite, or a variance is negative by more than cuDNN's rounding.
    """
    if not found.is_finite or (found.variance is not None and not can_be_variance(found.variance)):
        what = "a negative variance" if found.is_finite else "numbers that are not finite"
        raise UserError(
            f"{path}: layer {shape.index}, the {shape.name}, would have {what}: "
            "these are the weights of another cfg, or damaged"
        )
    return found


def _too_short(path: str, shape: LayerShape, wanted: int, there: int) -> UserError:
    return UserError(
        f"{path}: ends within layer {shape.index}, the {shape.name}: "
        f"it wants {wanted} bytes, {there} are there; the file is cut short, or of another cfg"
    )
