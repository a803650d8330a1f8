"""The small cells that every network here is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

from gluon_yolo.mxnet_compat import autograd, gluon, mx

nn = gluon.nn
NormFactory = Callable[[int], gluon.HybridBlock]
NORMS = ("bn", "sync", "frozen")


def make_norm(kind: str = "bn", num_devices: int = 1, epsilon: float = 1e-5) -> NormFactory:
    """Turn the name of a batch normalisation into a factory: channels in, layer out.

    All three kinds hold the same parameters, so weights move freely between them.

    Args:
        kind: ``bn`` normalises over the device's own batch; ``sync`` over the batch of all devices (Zhang et
            al. 2018, section 3); ``frozen`` uses the stored statistics and trains neither them nor scale and
            shift.
        num_devices: devices that share one ``sync`` layer.
        epsilon: added to the variance.

    Raises:
        ValueError: for another kind.
    """
    if kind == "bn":
        return lambda channels: nn.BatchNorm(in_channels=channels, epsilon=epsilon)
    if kind == "sync":
        return lambda channels: gluon.contrib.nn.SyncBatchNorm(channels, num_devices, epsilon=epsilon)
    if kind == "frozen":
        return lambda channels: FrozenBatchNorm(channels, epsilon=epsilon)
    raise ValueError(f"norm: expected one of {NORMS}, got {kind!r}")


class FrozenBatchNorm(nn.BatchNorm):
    """Batch normalisation by the stored statistics, which nothing changes, with scale and shift kept too.

    Args:
        channels: of input and output.
    """

    def __init__(self, channels: int, **kwargs):
        super().__init__(in_channels=channels, use_global_stats=True, **kwargs)
        for parameter in (self.gamma, self.beta):
            parameter.grad_req = "null"


class BatchNormReLU(nn.BatchNorm):
    """Batch normalisation, then ReLU.

    While a training step is recorded with ``fused`` set, both are one kernel, which saves a pass over the
    maps each way; mxnet has it for the CPU alone. At all other times they are the two plain operators, which
    every engine and mxnet's own graph passes know. The values are the same.

    Attributes:
        fused: set by what trains on the CPU (:func:`fuse_for_training`).
    """

    fused = False

    def hybrid_forward(self, F, x, gamma, beta, running_mean, running_var):
        """Return the normalised map, negative values at 0, same shape."""
        arrays = (x, gamma, beta, running_mean, running_var)
        if self.fused and autograd.is_recording():
            return F.contrib.BatchNormWithReLU(*arrays, name="fwd", **self._kwargs)
        return F.Activation(F.BatchNorm(*arrays, name="fwd", **self._kwargs), act_type="relu", name="relu")


def joined_with_relu(layer: gluon.HybridBlock, channels: int) -> BatchNormReLU | None:
    """Return what does a fresh plain batch normalisation's work and ReLU's in one; None where nothing can.

    Other kinds have no such kernel. Its backward pass fails in mxnet 1.9.1, "could not create a primitive
    descriptor", where map and gradient come to it in different layouts. It never gave wrong numbers (against
    float64 1e-6 at all widths, sizes and strides that were tried, of 1 to 512 channels). It fails when there
    are no powers of two: mobilenet0.75; and, of 16 channels and more, in front of a convolution whose output
    has not a multiple of 16. The zoo has no such place; a network that would have one must not join them.

    Args:
        layer: from a factory of :func:`make_norm`.
        channels: that it normalises.
    """
    if type(layer) is not nn.BatchNorm or channels & (channels - 1):
        return None
    return BatchNormReLU(in_channels=channels, epsilon=layer._kwargs["eps"])


def fuse_for_training(block: gluon.Block) -> None:
    """Let every :class:`BatchNormReLU` within a block train as one kernel, on the CPU, where mxnet has it."""
    for child in block._children.values():
        if isinstance(child, BatchNormReLU):
            child.fused = mx.runtime.Features().is_enabled("MKLDNN")
        fuse_for_training(child)


def hold_statistics(norm: nn.BatchNorm) -> None:
    """Let a batch normalisation of any kind use its stored statistics in training too, and keep them.

    Scale and shift are parameters like others, and are left as they are.

    Args:
        norm: any of :func:`make_norm`'s, also one joined with ReLU; not yet part of a hybridized graph.
    """
    norm._kwargs["use_global_stats"] = True


def weighted_layers(block: gluon.Block) -> list[str]:
    """Return the places in a block of the layers that hold weights, in the order in which they were added."""
    ending = ".weight"
    names = block._collect_params_with_prefix()
    return [name[: -len(ending)] for name in names if name.endswith(ending)]


class ReLU6(gluon.HybridBlock):
    """Clip activations to 0..6 (Sandler et al. 2018, MobileNetV2)."""

    def hybrid_forward(self, F, x):
        """Return ``min(max(x, 0), 6)``, same shape."""
        return F.clip(x, 0, 6)


ACTIVATIONS: dict[str, Callable[[], gluon.HybridBlock]] = {
    "relu": lambda: nn.Activation("relu"),
    "relu6": ReLU6,
    "leaky": lambda: nn.LeakyReLU(0.1),
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
    """Build convolution, normalisation, activation; (B, C, H, W) to (B, channels, H/stride, W/stride).

    Args:
        channels: output channels.
        kernel: side of the square kernel; the padding keeps the map's size at stride 1.
        norm: from :func:`make_norm`.
        stride: step of the convolution.
        groups: ``groups == channels`` makes it depthwise.
        activation: a key of ``ACTIVATIONS``, or ``linear`` for none.
        in_channels: input channels; 0 takes them from the first input.
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
    """Turn plain RGB pixels into the network's input: (B, H, W, 3) in 0..255 to (B, 3, H, W) standardised.

    Args:
        mean: of each colour channel, on pixels scaled to 0..1.
        std: likewise.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], **kwargs):
        """Store the statistics as constants of the graph."""
        super().__init__(**kwargs)
        with self.name_scope():
            self.mean = self.params.get_constant("mean", mx.nd.array(mean).reshape((1, 3, 1, 1)))
            self.std = self.params.get_constant("std", mx.nd.array(std).reshape((1, 3, 1, 1)))

    def hybrid_forward(self, F, pixels, mean, std):
        """Return the standardised image, channels first, float32; rounded as GluonCV's transforms do."""
        planes = F.transpose(F.cast(pixels, "float32"), axes=(0, 3, 1, 2)) / 255
        return F.broadcast_div(F.broadcast_sub(planes, mean), std)
