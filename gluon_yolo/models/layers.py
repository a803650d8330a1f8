"""Layers: batch normalisation, activations and the convolution cell that all networks use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from gluon_yolo.mxnet_compat import autograd, gluon, mx

nn = gluon.nn
NormFactory = Callable[[int], gluon.HybridBlock]
NORMS = ("bn", "sync", "frozen")


def make_norm(kind: str = "bn", num_devices: int = 1, epsilon: float = 1e-5) -> NormFactory:
    """Return a factory of batch normalisation layers: number of channels in, layer out.

    All three kinds have the same parameters: weights of one kind load into another.

    Args:
        kind: ``bn`` normalises over the batch of one device; ``sync`` over the batch of all devices (Zhang et
            al. 2018, section 3); ``frozen`` uses the running statistics and trains neither them nor scale and
            shift.
        num_devices: devices that share the statistics of a ``sync`` layer.
        epsilon: added to the variance.

    Raises:
        ValueError: ``kind`` is none of these.
    """
    if kind == "bn":
        return lambda channels: nn.BatchNorm(in_channels=channels, epsilon=epsilon)
    if kind == "sync":
        return lambda channels: gluon.contrib.nn.SyncBatchNorm(channels, num_devices, epsilon=epsilon)
    if kind == "frozen":
        return lambda channels: FrozenBatchNorm(channels, epsilon=epsilon)
    raise ValueError(f"norm: expected one of {NORMS}, got {kind!r}")


class FrozenBatchNorm(nn.BatchNorm):
    """Batch normalisation with constant running statistics, scale and shift.

    Args:
        channels: channels of input and output.
    """

    def __init__(self, channels: int, **kwargs: Any) -> None:
        super().__init__(in_channels=channels, use_global_stats=True, **kwargs)
        for parameter in (self.gamma, self.beta):
            parameter.grad_req = "null"


class BatchNormReLU(nn.BatchNorm):
    """Batch normalisation, then ReLU.

    When ``fused`` is set and autograd records, both are one kernel, which saves one pass over the map forward
    and one backward. mxnet has this kernel for the CPU only. Otherwise they are two plain operators, which
    every exporter and mxnet's own graph passes support. The values are the same.

    Attributes:
        fused: whether training uses the fused kernel; :func:`fuse_for_training` sets it.
    """

    fused = False

    def hybrid_forward(
        self, F: Any, x: Any, gamma: Any, beta: Any, running_mean: Any, running_var: Any
    ) -> Any:
        """Return the normalised map with negative values set to 0, same shape."""
        arrays = (x, gamma, beta, running_mean, running_var)
        if self.fused and autograd.is_recording():
            return F.contrib.BatchNormWithReLU(*arrays, name="fwd", **self._kwargs)
        return F.Activation(F.BatchNorm(*arrays, name="fwd", **self._kwargs), act_type="relu", name="relu")


def joined_with_relu(layer: gluon.HybridBlock, channels: int) -> BatchNormReLU | None:
    """Return one layer for a plain batch normalisation and ReLU; None where there is no such kernel.

    Only a plain batch normalisation has the kernel. Its backward pass fails in mxnet 1.9.1 ("could not create
    a primitive descriptor") where the map and its gradient have different memory layouts. This happens when
    the number of channels is no power of two (mobilenet0.75), and, from 16 channels on, before a convolution
    whose number of output channels is no multiple of 16. The zoo has no such convolution; a network that has
    one must not use this function. Where the kernel runs its values are right: within 1e-6 of float64 for 1
    to 512 channels, at all sizes and strides tried.

    Args:
        layer: from a factory of :func:`make_norm`, not yet trained.
        channels: channels that it normalises.
    """
    if type(layer) is not nn.BatchNorm or channels & (channels - 1):
        return None
    return BatchNormReLU(in_channels=channels, epsilon=layer._kwargs["eps"])


def fuse_for_training(block: gluon.Block) -> None:
    """Let every :class:`BatchNormReLU` in a block train with the fused kernel, where mxnet has it."""
    for child in block._children.values():
        if isinstance(child, BatchNormReLU):
            child.fused = mx.runtime.Features().is_enabled("MKLDNN")
        fuse_for_training(child)


def hold_statistics(norm: nn.BatchNorm) -> None:
    """Make a batch normalisation of any kind use its running statistics in training and not update them.

    Scale and shift are not changed and still train.

    Args:
        norm: a layer of :func:`make_norm` or :func:`joined_with_relu`, not yet part of a hybridized graph.
    """
    norm._kwargs["use_global_stats"] = True


def weighted_layers(block: gluon.Block) -> list[str]:
    """Return the names within a block of the layers that have weights, in the order of registration."""
    ending = ".weight"
    names = block._collect_params_with_prefix()
    return [name[: -len(ending)] for name in names if name.endswith(ending)]


class ReLU6(gluon.HybridBlock):
    """ReLU with an upper bound of 6 (Sandler et al. 2018)."""

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return ``min(max(x, 0), 6)``, same shape."""
        return F.clip(x, 0, 6)


ACTIVATIONS: dict[str, Callable[[], gluon.HybridBlock]] = {
    "relu": lambda: nn.Activation("relu"),
    "relu6": ReLU6,
    "leaky": lambda: nn.LeakyReLU(0.1),
    "leaky0.01": lambda: nn.LeakyReLU(0.01),
}


def conv_cell(
    channels: int,
    kernel: int,
    norm: NormFactory,
    stride: int = 1,
    groups: int = 1,
    activation: str = "relu",
    in_channels: int = 0,
) -> gluon.HybridBlock:
    """Build convolution, normalisation, activation: (B, C, H, W) to (B, channels, H / stride, W / stride).

    Args:
        channels: output channels.
        kernel: side of the square kernel; the padding keeps the size of the map at stride 1.
        norm: from :func:`make_norm`.
        stride: of the convolution.
        groups: of the convolution; ``groups == channels`` makes it depthwise.
        activation: a key of ``ACTIVATIONS``, or ``linear`` for none.
        in_channels: input channels; with 0 mxnet infers them from the first input.
    """
    cell = nn.HybridSequential(prefix="")
    padding = (kernel - 1) // 2
    cell.add(
        nn.Conv2D(channels, kernel, stride, padding, groups=groups, use_bias=False, in_channels=in_channels)
    )
    layer = norm(channels)
    joined = joined_with_relu(layer, channels) if activation == "relu" else None
    if joined is not None:
        cell.add(joined)
    else:
        cell.add(layer, *([] if activation == "linear" else [ACTIVATIONS[activation]()]))
    return cell


class Normalize(gluon.HybridBlock):
    """Normalise RGB pixels: (B, H, W, 3) in 0..255 to (B, 3, H, W), minus the mean, over the deviation.

    Args:
        mean: of each colour channel, for pixels scaled to 0..1.
        std: standard deviation of each colour channel, for pixels scaled to 0..1.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.mean = self.params.get_constant("mean", mx.nd.array(mean).reshape((1, 3, 1, 1)))
            self.std = self.params.get_constant("std", mx.nd.array(std).reshape((1, 3, 1, 1)))

    def hybrid_forward(self, F: Any, pixels: Any, mean: Any, std: Any) -> Any:
        """Return the normalised image (B, 3, H, W), float32, rounded as GluonCV's transforms round it."""
        planes = F.transpose(F.cast(pixels, "float32"), axes=(0, 3, 1, 2)) / 255
        return F.broadcast_div(F.broadcast_sub(planes, mean), std)
