"""Weights between a darknet file's arrays and a network's parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from gluon_yolo.compat import gluon, mx
from gluon_yolo.darknet.blocks import ConvolutionBlock
from gluon_yolo.darknet.layers import Convolution
from gluon_yolo.darknet.network import DarknetNetwork
from gluon_yolo.darknet.weights import Header, LayerWeights, Weights
from gluon_yolo.nn.heads import take_over_classes


@dataclasses.dataclass(frozen=True)
class Transferred:
    """What became of a darknet file's layers.

    Args:
        taken: names of the layers (``layer12``) that now hold the file's numbers.
        adapted: those of heads of which only the box part and the classes of the same name were taken.
        left_out: those that did not fit, each with the reason.
        fresh: those that the network has and the file did not set, ``left_out`` among them.
    """

    taken: tuple[str, ...]
    adapted: tuple[str, ...]
    left_out: tuple[str, ...]
    fresh: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether every layer came from the file unchanged."""
        return not self.adapted and not self.fresh

    def __str__(self) -> str:
        """Say it in a line."""
        parts = [f"{len(self.taken)} layers taken"]
        if self.adapted:
            parts.append(f"{len(self.adapted)} heads adapted ({', '.join(self.adapted)})")
        if self.fresh:
            parts.append(f"{len(self.fresh)} left fresh ({', '.join(self.fresh)})")
        if self.left_out:
            parts.append(f"left out: {', '.join(self.left_out)}")
        return ", ".join(parts)


def set_weights(
    net: DarknetNetwork, weights: Weights, class_names: Sequence[str] | None = None
) -> Transferred:
    """Set an initialised network's parameters, on all its devices, as far as the weights go and fit.

    Args:
        net: gets them.
        weights: whole or partial, read with the plan of the network's cfg, or of the same cfg with other
            classes.
        class_names: those that the weights were trained on; None takes them for the network's.
    """
    taken, adapted, left_out, fresh = [], [], [], []
    for layer, block in net.convolutions:
        name, source = f"layer{layer.index}", weights.layers.get(layer.index)
        anchors = _anchors_of_head(net, layer)
        renamed = class_names is not None and tuple(class_names) != net.spec.class_names
        if source is None:
            fresh.append(name)
        elif not _fits(layer, source) or (anchors and renamed):
            source, reason = _adapt(net, layer, block, source, anchors, class_names or ())
            if source is None:
                left_out.append(f"{name}: {reason}")
                fresh.append(name)
            else:
                _set(block, source)
                adapted.append(name)
        else:
            _set(block, source)
            taken.append(name)
    return Transferred(tuple(taken), tuple(adapted), tuple(left_out), tuple(fresh))


def get_weights(net: DarknetNetwork, header: Header | None = None) -> Weights:
    """Return a network's parameters as they stand in a whole darknet file.

    Args:
        net: initialised.
        header: for the file; None takes version 0.2.5 with no pictures seen.
    """
    layers = {layer.index: _get(block) for layer, block in net.convolutions}
    return Weights(header or Header(), layers, whole=True)


def _anchors_of_head(net: DarknetNetwork, layer: Convolution) -> int:
    """Return how many anchors a convolution predicts for, 0 when it is no head."""
    for head in net.plan.heads:
        if head.inputs[0] == layer.index:
            return len(head.anchors)
    return 0


def _fits(layer: Convolution, source: LayerWeights) -> bool:
    return source.kernel.shape == layer.weight_shape and (source.gamma is not None) == layer.normalized


def _adapt(
    net: DarknetNetwork,
    layer: Convolution,
    block: ConvolutionBlock,
    source: LayerWeights,
    anchors: int,
    class_names: Sequence[str],
) -> tuple[LayerWeights | None, str]:
    """Return a head's numbers with the box part and the classes of the same name; or None, and why not."""
    there, here = source.kernel.shape, layer.weight_shape
    same_kind = there[1:] == here[1:] and source.gamma is None and not layer.normalized
    if not (anchors and same_kind):
        return None, f"its kernel is {there}, here {here}"
    if len(source.bias) != anchors * (5 + len(class_names)):
        return None, f"{there[0]} channels are not those of {anchors} anchors and {len(class_names)} classes"
    own, names = _get(block), net.spec.class_names
    bias, kernel = (
        take_over_classes(fresh, trained, anchors, names, class_names)
        for fresh, trained in ((own.bias, source.bias), (own.kernel, source.kernel))
    )
    return LayerWeights(bias, kernel), ""


def _set(block: ConvolutionBlock, source: LayerWeights) -> None:
    for field, parameter in _parameters(block).items():
        parameter.set_data(mx.nd.array(getattr(source, field)))


def _get(block: ConvolutionBlock) -> LayerWeights:
    fields = _parameters(block).items()
    return LayerWeights(**{field: _array(parameter) for field, parameter in fields})


def _parameters(block: ConvolutionBlock) -> dict[str, gluon.Parameter]:
    """Return a block's parameters by their field in LayerWeights."""
    convolution, norm = block.convolution, block.norm
    if norm is None:
        return {"bias": convolution.bias, "kernel": convolution.weight}
    return {
        "bias": norm.beta,
        "gamma": norm.gamma,
        "mean": norm.running_mean,
        "variance": norm.running_var,
        "kernel": convolution.weight,
    }


def _array(parameter: gluon.Parameter) -> np.ndarray:
    return parameter.data(parameter.list_ctx()[0]).asnumpy()
