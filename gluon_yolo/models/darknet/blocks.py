"""Each layer of a plan as a HybridBlock; what it takes and returns is (B, C, H, W)."""

from __future__ import annotations

from typing import Any, Callable

from gluon_yolo.models.darknet import layers
from gluon_yolo.models.darknet.activations import activation_block
from gluon_yolo.models.layers import NormFactory
from gluon_yolo.mxnet_compat import autograd, gluon

nn = gluon.nn
# Added to the variance, as in OpenCV. AlexeyAB's darknet adds 1e-5, which moves the scores of trained
# networks by up to 0.004: some of their channels hardly vary.
EPSILON = 1e-6


class ConvolutionBlock(gluon.HybridBlock):
    """Convolution with a bias or batch norm, then an activation.

    Args:
        layer: its numbers.
        norm: from :func:`gluon_yolo.models.layers.make_norm`.
    """

    def __init__(self, layer: layers.Convolution, norm: NormFactory, **kwargs):
        super().__init__(**kwargs)
        channels = layer.output.channels
        self.convolution = nn.Conv2D(
            channels,
            layer.kernel,
            layer.stride_hw,
            layer.padding,
            layer.dilation,
            layer.groups,
            use_bias=not layer.normalized,
            in_channels=layer.in_channels,
        )
        # Never a BatchNormReLU: with the widths that these networks have, its kernel's backward pass fails.
        self.norm = norm(channels) if layer.normalized else None
        self.activation = activation_block(layer.activation)

    def hybrid_forward(self, F, x):
        """Return the convolved, normalised, activated map."""
        x = self.convolution(x)
        x = x if self.norm is None else self.norm(x)
        return x if self.activation is None else self.activation(x)


class MaxPoolBlock(gluon.HybridBlock):
    """Maximum of each window, padded as darknet does: the odd cell of an even window stands behind.

    Args:
        layer: its numbers.
    """

    def __init__(self, layer: layers.MaxPool, **kwargs):
        super().__init__(**kwargs)
        before = layer.padding // 2
        self.odd = layer.padding % 2
        if layer.stride_hw == (2, 2) and layer.kernel == 2 and self.odd:
            # The same windows without a padded copy of the map: an odd size's last window is cut off.
            self.odd = 0
            self.pool = nn.MaxPool2D(2, 2, before, ceil_mode=True)
        else:
            self.pool = nn.MaxPool2D(layer.kernel, layer.stride_hw, before)

    def hybrid_forward(self, F, x):
        """Return the pooled map."""
        if self.odd:  # the edge's own values change no maximum
            x = F.pad(x, mode="edge", pad_width=(0, 0, 0, 0, 0, 1, 0, 1))
        return self.pool(x)


class UpsampleBlock(gluon.HybridBlock):
    """Repeat each cell down and across.

    Args:
        layer: its numbers.
    """

    def __init__(self, layer: layers.Upsample, **kwargs):
        super().__init__(**kwargs)
        self.factor = layer.factor

    def hybrid_forward(self, F, x):
        """Return a map of ``factor`` times the size."""
        return F.UpSampling(x, scale=self.factor, sample_type="nearest")


class RouteBlock(gluon.HybridBlock):
    """Lay maps side by side, whole or one part of the channels of each.

    Args:
        layer: its numbers.
        widths: channels of each input.
    """

    def __init__(self, layer: layers.Route, widths: list[int], **kwargs):
        super().__init__(**kwargs)
        self.groups = layer.groups
        self.parts = [
            (layer.group_id * width // layer.groups, (layer.group_id + 1) * width // layer.groups)
            for width in widths
        ]
        self.uneven = len(widths) > 1 and any((end - begin) % 16 for begin, end in self.parts)

    def hybrid_forward(self, F, *maps):
        """Return the maps' channels one after the other."""
        if self.groups > 1:
            maps = [F.slice_axis(x, axis=1, begin=a, end=b) for x, (a, b) in zip(maps, self.parts)]
        if len(maps) == 1:
            return maps[0]
        if not (self.uneven and autograd.is_recording()):
            return F.concat(*maps, dim=1)
        # mxnet 1.9.1 cannot part a gradient that lies in blocks of 16 channels at other widths ("could not
        # construct a sub-memory", or the process ends). Flat maps do not lie in blocks.
        #
        # A copy is made flat, and not the map itself. In a planned graph a pool adds its gradient, in blocks,
        # to the one that comes by the flat view of its input, which is plain: one of the two is lost.
        # Measured on a pool and its map joined in this way, against float64: the gradients of all before were
        # 60 to 100 % off at widths of 8, 16, 40, 48, 64, right at 18; with the copy 1e-6 everywhere.
        joined = F.concat(*(F.reshape(x * 1, (0, 0, -1)) for x in maps), dim=1)
        return F.reshape_like(joined, maps[0], lhs_begin=2, lhs_end=3, rhs_begin=2, rhs_end=4)


class ShortcutBlock(gluon.HybridBlock):
    """Add maps to the first one, then the activation; where the channels differ, to the first that fit.

    Args:
        layer: its numbers.
        widths: channels of each input.
    """

    def __init__(self, layer: layers.Shortcut, widths: list[int], **kwargs):
        super().__init__(**kwargs)
        self.widths = widths
        self.activation = activation_block(layer.activation)

    def hybrid_forward(self, F, x, *others):
        """Return the sum, with the channels of ``x``."""
        own = self.widths[0]
        for other, width in zip(others, self.widths[1:]):
            if width > own:
                other = F.slice_axis(other, axis=1, begin=0, end=own)
            elif width < own:
                head, rest = (
                    F.slice_axis(x, axis=1, begin=begin, end=end) for begin, end in ((0, width), (width, own))
                )
                x = F.concat(head + other, rest, dim=1)
                continue
            x = x + other
        return x if self.activation is None else self.activation(x)


class ScaleBlock(gluon.HybridBlock):
    """Multiply a map by another of its size or of one cell, then the activation.

    Args:
        layer: its numbers.
    """

    def __init__(self, layer: layers.Scale, **kwargs):
        super().__init__(**kwargs)
        self.activation = activation_block(layer.activation)

    def hybrid_forward(self, F, factor, x):
        """Return the product, in the size of ``x``."""
        x = F.broadcast_mul(x, factor)
        return x if self.activation is None else self.activation(x)


def make_block(layer: layers.Layer, widths: list[int], norm: NormFactory) -> gluon.HybridBlock | None:
    """Return a layer's block, None where it hands its input on.

    Args:
        layer: of a plan.
        widths: channels of each of its inputs.
        norm: from :func:`gluon_yolo.models.layers.make_norm`.
    """
    makers: dict[type, Callable[[Any], gluon.HybridBlock | None]] = {
        layers.Convolution: lambda layer: ConvolutionBlock(layer, norm),
        layers.MaxPool: MaxPoolBlock,
        layers.AvgPool: lambda layer: nn.GlobalAvgPool2D(),
        layers.Upsample: UpsampleBlock,
        layers.Route: lambda layer: RouteBlock(layer, widths),
        layers.Shortcut: lambda layer: ShortcutBlock(layer, widths),
        layers.Scale: ScaleBlock,
        layers.Dropout: lambda layer: nn.Dropout(layer.rate),
        layers.Yolo: lambda layer: None,
    }
    return makers[type(layer)](layer)
