"""Transfer: a darknet file's arrays under the names that a network's parameters have, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gluon_yolo import settled
from gluon_yolo.darknet.header import Header
from gluon_yolo.darknet.layer_weights import LayerWeights
from gluon_yolo.darknet.weights import Weights

if TYPE_CHECKING:
    from gluon_yolo.darknet.blocks import ConvolutionBlock
    from gluon_yolo.darknet.network import DarknetNetwork

# Where a network has each field of LayerWeights: with batch norm, and without.
NORMALIZED = {
    "bias": "norm.beta",
    "gamma": "norm.gamma",
    "mean": "norm.running_mean",
    "variance": "norm.running_var",
    "kernel": "convolution.weight",
}
PLAIN = {"bias": "convolution.bias", "kernel": "convolution.weight"}


def named_arrays(weights: Weights) -> dict[str, np.ndarray]:
    """Return a file's arrays by the names of the parameters that they are for: ``layer3.norm.gamma``."""
    return {
        f"layer{index}.{place}": getattr(layer, field)
        for index, layer in weights.layers.items()
        for field, place in (PLAIN if layer.gamma is None else NORMALIZED).items()
    }


def get_weights(net: DarknetNetwork, header: Header | None = None) -> Weights:
    """Return a network's parameters as they stand in a whole darknet file.

    Args:
        net: initialised.
        header: for the file; None takes version 0.2.5 with no pictures seen.
    """
    layers = {layer.index: _layer_weights(block) for layer, block in net.convolutions}
    return Weights(header or Header(), layers, whole=True)


def _layer_weights(block: ConvolutionBlock) -> LayerWeights:
    places = PLAIN if block.norm is None else NORMALIZED
    parameters = block._collect_params_with_prefix()
    return LayerWeights(**{field: settled.array(parameters[place]) for field, place in places.items()})
