"""Caffe's weights: the blobs of a ``.caffemodel``, by the layers' names, in a network of its prototxt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo import parameter_file
from gluon_yolo.caffe import binary
from gluon_yolo.caffe.blobs import array_of
from gluon_yolo.errors import UserError
from gluon_yolo.models.caffe.layers import Layer
from gluon_yolo.models.caffe.network import (
    PROTOTXT,
    CaffeNetwork,
    build,
    child_name,
    reads_colours_by_convolution,
)
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.text import counted

# By kind of layer: the parameters that its blobs become, in Caffe's order.
_NAMES = {
    "Convolution": ("weight", "bias"),
    "InnerProduct": ("weight", "bias"),
    "BatchNorm": ("running_mean", "running_var"),
    "Scale": ("gamma", "beta"),
    "PReLU": ("slope",),
}


def load(
    prototxt: Path,
    caffemodel: Path,
    name: str,
    colour: str = "bgr",
    mean: Sequence[float] = (0.0, 0.0, 0.0),
    scale: Sequence[float] = (1.0, 1.0, 1.0),
) -> tuple[CaffeNetwork, tuple[str, ...]]:
    """Build the network of a prototxt with the weights of a caffemodel.

    Args:
        prototxt: the layers.
        caffemodel: their weights.
        name: of the network.
        colour: the order of the channels that the layers take, ``rgb`` or ``bgr``.
        mean: of each channel in that order, for pixels 0..255.
        scale: of each channel; divides.

    Returns:
        The network on the CPU, and the names of layers whose weights the prototxt has no layer for.

    Raises:
        UserError: a file cannot be read, or the weights are not those of the layers. The message names the
            layer.
        MissingDependency: protobuf is not installed.
    """
    net = build(prototxt, name, colour, mean, scale)
    net.initialize(mx.init.Zero(), ctx=mx.cpu())
    blobs: dict[str, Any] = {
        layer.name: layer.blobs for layer in binary.read(caffemodel).layer if layer.blobs
    }
    parameters = net._collect_params_with_prefix()
    reversed_first = colour == "bgr" and reads_colours_by_convolution(net.plan)
    for layer in net.plan.layers:
        if not layer.weights:
            continue
        arrays = _arrays(layer, blobs.pop(layer.name, ()), caffemodel)
        if reversed_first and layer in net.plan.first:
            arrays[0] = arrays[0][:, ::-1]
        for kind, array in zip(_NAMES[layer.kind], arrays):
            parameter = parameters[f"{child_name(layer)}.{kind}"]
            parameter.set_data(mx.nd.array(array.reshape(parameter.shape)))
        if layer.kind == "BatchNorm":
            parameters[f"{child_name(layer)}.gamma"].set_data(mx.nd.ones(layer.weights[0]))
    return net, tuple(blobs)


def _arrays(layer: Layer, blobs: Sequence[Any], file: Path) -> list[np.ndarray]:
    """Return the arrays of a layer's blobs, checked against its shapes.

    Raises:
        UserError: blobs are missing, have other shapes, or numbers that are not finite.
    """
    place = f'{file}: layer "{layer.name}" ({layer.kind})'
    if not blobs:
        raise UserError(f"{place}: has no weights there; give the caffemodel of this prototxt")
    if len(blobs) != len(layer.weights):
        wanted = counted(len(layer.weights), "blob")
        raise UserError(f"{place}: has {counted(len(blobs), 'blob')}, where the prototxt asks for {wanted}")
    arrays = []
    for number, (blob, shape) in enumerate(zip(blobs, layer.weights)):
        try:
            array = array_of(blob)
        except ValueError as error:
            raise UserError(f"{place}: damaged: {error}") from error
        if _plain(array.shape) != _plain(shape):
            raise UserError(
                f"{place}: blob {number} has the shape {_words(array.shape)}, where the prototxt asks for "
                f"{_words(shape)}"
            )
        if not np.isfinite(array).all():
            raise UserError(f"{place}: blob {number} has numbers that are not finite")
        arrays.append(array.reshape(shape))
    if layer.kind == "BatchNorm":
        # Caffe keeps sums, and by which number they are to be divided.
        divisor = float(arrays.pop()[0])
        arrays = [array * np.float32(1 / divisor if divisor else 0) for array in arrays]
        if (arrays[1] + layer.values["eps"] <= 0).any():
            raise UserError(f"{place}: a variance is negative")
    elif layer.kind == "InnerProduct" and layer.values["transpose"]:
        arrays[0] = arrays[0].T
    return arrays


def _plain(shape: Sequence[int]) -> tuple[int, ...]:
    """Return a shape without the sides of 1 before the others, which older files have."""
    sides = list(shape)
    while len(sides) > 1 and sides[0] == 1:
        del sides[0]
    return tuple(sides)


def _words(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def load_written(record: Any, folder: Path, weights: Path) -> CaffeNetwork:
    """Build the network of an imported model's folder, with its weights.

    Args:
        record: of the model; its origin says what its input is.
        folder: of the record; it has the prototxt.
        weights: the weights file, ``.params``.

    Raises:
        UserError: a file is missing or damaged, or the weights are those of another network.
    """
    origin = record.origin or {}
    try:
        preprocessing = (str(origin["colour"]), list(origin["mean"]), list(origin["scale"]))
    except (KeyError, TypeError) as error:
        raise UserError(f"{folder}: its record lacks {error}; import the model again") from error
    net = build(folder / PROTOTXT, record.network, *preprocessing)
    try:
        parameter_file.check(weights)
        net.load_parameters(str(weights), ctx=mx.cpu())
    except (mx.MXNetError, AssertionError, OSError, ValueError) as error:
        raise UserError(f"{weights}: damaged, or the weights of another network; import it again") from error
    return net
