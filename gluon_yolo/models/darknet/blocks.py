"""The HybridBlock of each kind of layer in a plan; inputs and outputs are (B, C, H, W)."""

from __future__ import annotations

from typing import Any, Callable

from gluon_yolo.models.darknet import layers
from gluon_yolo.models.darknet.activations import activation_block
from gluon_yolo.models.layers import NormFactory
from gluon_yolo.mxnet_compat import autograd, gluon

nn = gluon.nn
# Added to the variance, as in OpenCV. AlexeyAB's darknet adds 1e-5. That changes the scores of trained
# networks by up to 0.004, because some of their channels have a very small variance.
EPSILON = 1e-6
# Cells of padding up to which oneDNN's max pooling is fast in training. Beyond, maps in blocks of 8 channels
# (by AVX2, or where their number is no multiple of 16) get its reference kernel: 88 ms instead of 1 ms for a
# map of 8x40x10x10 with a window of 9x9, on one thread.
_FAST_PADDING = 3


class ConvolutionBlock(gluon.HybridBlock):
    """Convolution with a bias or batch normalisation, then an activation.

    Args:
        layer: of the plan.
        norm: from :func:`gluon_yolo.models.layers.make_norm`.
    """

    def __init__(self, layer: layers.Convolution, norm: NormFactory, **kwargs: Any) -> None:
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
        # No BatchNormReLU: its kernel's backward pass fails for the channel counts of these networks.
        self.norm = norm(channels) if layer.normalized else None
        self.activation = activation_block(layer.activation)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return the map after convolution, normalisation and activation."""
        x = self.convolution(x)
        x = x if self.norm is None else self.norm(x)
        return x if self.activation is None else self.activation(x)


class MaxPoolBlock(gluon.HybridBlock):
    """Max pooling with darknet's padding: an odd cell of padding is added at the right and bottom.

    Args:
        layer: of the plan.
    """

    def __init__(self, layer: layers.MaxPool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        before = layer.padding // 2
        self.odd = layer.padding % 2
        if layer.stride_hw == (2, 2) and layer.kernel == 2 and self.odd:
            # The same windows without a padded copy of the map: the last window of an odd size is cut off.
            self.odd = 0
            self.pool = nn.MaxPool2D(2, 2, before, ceil_mode=True)
        else:
            self.pool = nn.MaxPool2D(layer.kernel, layer.stride_hw, before)
        keeps_size = layer.stride_hw == (1, 1) and layer.padding == layer.kernel - 1
        self.radius = before if keeps_size and not self.odd else 0

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return the pooled map."""
        if self.radius > _FAST_PADDING and autograd.is_recording():
            return _pool_in_parts(F, x, self.radius)
        if self.odd:  # repeated edge values do not change a maximum
            x = F.pad(x, mode="edge", pad_width=(0, 0, 0, 0, 0, 1, 0, 1))
        return self.pool(x)


def _pool_in_parts(F: Any, x: Any, radius: int) -> Any:
    """Return the largest value within ``radius`` cells of each cell of a map, by small pools one by one.

    First along the rows, then along the columns: so of several equal values the same one gets the gradient as
    in one pool, the first in reading order. Gradients are the same up to rounding, as they are added in
    another order.
    """
    parts = [min(_FAST_PADDING, radius - done) for done in range(0, radius, _FAST_PADDING)]
    for down in (False, True):
        for part in parts:
            sides = (2 * part + 1, 1) if down else (1, 2 * part + 1)
            padding = (part, 0) if down else (0, part)
            x = F.Pooling(x, kernel=sides, pad=padding, pool_type="max")
    return x


class UpsampleBlock(gluon.HybridBlock):
    """Nearest-neighbour upsampling.

    Args:
        layer: of the plan.
    """

    def __init__(self, layer: layers.Upsample, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = layer.factor

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Turn (B, C, H, W) into (B, C, factor * H, factor * W)."""
        return F.UpSampling(x, scale=self.factor, sample_type="nearest")


class RouteBlock(gluon.HybridBlock):
    """Concatenate maps, or one group of the channels of each map.

    Args:
        layer: of the plan.
        widths: channels of each input.
    """

    def __init__(self, layer: layers.Route, widths: list[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.groups = layer.groups
        self.parts = [
            (layer.group_id * width // layer.groups, (layer.group_id + 1) * width // layer.groups)
            for width in widths
        ]
        self.uneven = len(widths) > 1 and any((end - begin) % 16 for begin, end in self.parts)

    def hybrid_forward(self, F: Any, *maps: Any) -> Any:
        """Return the concatenation of the maps along the channels."""
        if self.groups > 1:
            maps = tuple(F.slice_axis(x, axis=1, begin=a, end=b) for x, (a, b) in zip(maps, self.parts))
        if len(maps) == 1:
            return maps[0]
        if not (self.uneven and autograd.is_recording()):
            return F.concat(*maps, dim=1)
        # In training, mxnet 1.9.1 cannot split the gradient of a concatenation at other widths than multiples
        # of 16, because it is stored in blocks of 16 channels ("could not construct a sub-memory", or the
        # process ends). Flattened maps are not stored in blocks.
        # A copy is flattened, and not the map itself. Otherwise, in a planned graph, a pool adds its
        # gradient, which is in blocks, to the gradient of the flattened view of its input, which is not: one
        # of the two is lost. Measured on a pool whose output is concatenated with its input, against float64:
        # the gradients of all earlier layers were 60 to 100 % wrong at widths of 8, 16, 40, 48 and 64, and
        # right at 18; with the copy the error is 1e-6 at all widths.
        joined = F.concat(*(F.reshape(x * 1, (0, 0, -1)) for x in maps), dim=1)
        return F.reshape_like(joined, maps[0], lhs_begin=2, lhs_end=3, rhs_begin=2, rhs_end=4)


class ShortcutBlock(gluon.HybridBlock):
    """Add maps to the first one, then apply the activation; extra channels of either side are not added.

    Args:
        layer: of the plan.
        widths: channels of each input.
    """

    def __init__(self, layer: layers.Shortcut, widths: list[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widths = widths
        self.activation = activation_block(layer.activation)

    def hybrid_forward(self, F: Any, x: Any, *others: Any) -> Any:
        """Return the sum, with as many channels as ``x``."""
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
    """Multiply a map by another one of the same size or of 1x1, then apply the activation.

    Args:
        layer: of the plan.
    """

    def __init__(self, layer: layers.Scale, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activation_block(layer.activation)

    def hybrid_forward(self, F: Any, factor: Any, x: Any) -> Any:
        """Return the product, in the shape of ``x``."""
        x = F.broadcast_mul(x, factor)
        return x if self.activation is None else self.activation(x)


def make_block(layer: layers.Layer, widths: list[int], norm: NormFactory) -> gluon.HybridBlock | None:
    """Return a layer's block; None where the layer passes its input on.

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
