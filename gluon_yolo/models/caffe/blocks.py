"""Caffe's layers as blocks, or, without weights, as functions of ``F`` and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from gluon_yolo.models.caffe.layers import Layer
from gluon_yolo.mxnet_compat import gluon

nn = gluon.nn


def make_block(layer: Layer) -> Any:
    """Return a layer's block, or a function of ``F`` and the arrays that it reads."""
    return _MAKERS[layer.kind](layer)


def _convolution(layer: Layer) -> Any:
    kernel = layer.weights[0]
    return nn.Conv2D(
        kernel[0],
        kernel[2:],
        layer.values["stride"],
        layer.values["pad"],
        layer.values["dilation"],
        groups=layer.values["groups"],
        in_channels=kernel[1] * layer.values["groups"],
        use_bias=len(layer.weights) > 1,
    )


class InnerProduct(gluon.HybridBlock):
    """A fully connected layer as a convolution whose kernel is the whole map; its output is (B, O, 1, 1).

    Args:
        outputs: O.
        shape: of its input, (C, H, W).
        use_bias: whether it has a bias.
    """

    def __init__(self, outputs: int, shape: Sequence[int], use_bias: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._sides = {"kernel": tuple(shape[1:]), "num_filter": outputs, "no_bias": not use_bias}
        with self.name_scope():
            self.weight = self.params.get("weight", shape=(outputs, *shape))
            self.bias = self.params.get("bias", shape=(outputs,)) if use_bias else None

    def hybrid_forward(self, F: Any, x: Any, weight: Any, bias: Any = None) -> Any:
        """Return the product with each row of the weight, plus the bias."""
        return F.Convolution(x, weight, *([] if bias is None else [bias]), **self._sides)


class Scale(gluon.HybridBlock):
    """A factor for each channel, and a term where there is one.

    Args:
        channels: C.
        use_bias: whether there is a term.
    """

    def __init__(self, channels: int, use_bias: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.gamma = self.params.get("gamma", shape=(1, channels, 1, 1))
            self.beta = self.params.get("beta", shape=(1, channels, 1, 1)) if use_bias else None

    def hybrid_forward(self, F: Any, x: Any, gamma: Any, beta: Any = None) -> Any:
        """Return ``x * gamma + beta``."""
        scaled = F.broadcast_mul(x, gamma)
        return scaled if beta is None else F.broadcast_add(scaled, beta)


class PReLU(gluon.HybridBlock):
    """ReLU with a slope for each channel where negative.

    Args:
        channels: C; 1 is one slope for all.
    """

    def __init__(self, channels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.slope = self.params.get("slope", shape=(channels,))

    def hybrid_forward(self, F: Any, x: Any, slope: Any) -> Any:
        """Return x, times the slope where negative."""
        return F.LeakyReLU(x, slope, act_type="prelu")


def _relu(layer: Layer) -> Any:
    slope = layer.values["slope"]
    return lambda F, x: F.LeakyReLU(x, act_type="leaky", slope=slope) if slope else F.relu(x)


def _eltwise(layer: Layer) -> Any:
    operation, factors = layer.values["operation"], layer.values["coefficients"]

    def run(F: Any, *arrays: Any) -> Any:
        if factors:
            arrays = tuple(array if by == 1 else array * by for array, by in zip(arrays, factors))
        total = arrays[0]
        for array in arrays[1:]:
            if operation == "max":
                total = F.maximum(total, array)
            else:
                total = total + array if operation == "sum" else total * array
        return total

    return run


def _pooling(layer: Layer) -> Any:
    values = layer.values
    if values["whole"]:
        return lambda F, x: F.Pooling(x, kernel=(1, 1), pool_type=values["kind"], global_pool=True)
    sides = {name: values[name] for name in ("kernel", "stride", "pad")}
    return lambda F, x: F.Pooling(
        x, pool_type=values["kind"], pooling_convention=values["convention"], count_include_pad=True, **sides
    )


_MAKERS: Mapping[str, Callable[[Layer], Any]] = {
    "Convolution": _convolution,
    "InnerProduct": lambda layer: InnerProduct(layer.shape[0], layer.values["shape"], len(layer.weights) > 1),
    "BatchNorm": lambda layer: nn.BatchNorm(
        epsilon=layer.values["eps"], center=False, scale=False, in_channels=layer.shape[0]
    ),
    "Scale": lambda layer: Scale(layer.shape[0], len(layer.weights) > 1),
    "PReLU": lambda layer: PReLU(layer.weights[0][0]),
    "ReLU": _relu,
    "Eltwise": _eltwise,
    "Concat": lambda layer: lambda F, *arrays: F.concat(*arrays, dim=1),
    "Pooling": _pooling,
}
