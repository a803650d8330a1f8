"""ShuffleNetV2 (Ma et al. 2018, figure 3 and table 5, width 0.5) without its last convolution."""

from __future__ import annotations

from typing import Any

from gluon_yolo.models.backbones.base import Backbone
from gluon_yolo.models.layers import NormFactory, conv_cell
from gluon_yolo.mxnet_compat import gluon

STEM_CHANNELS = 24
# (channels, units) of each group, which begins with a downsampling unit, by output stage.
STAGES = (((48, 4), (96, 8)), ((192, 4),))


class ShuffleUnit(gluon.HybridBlock):
    """A unit of stride 1: even channels are passed on, odd ones go through three convolutions; shape kept.

    The paper shuffles channels after the concatenation of both halves. Yolo-FastestV2 does it before the
    unit, by the split into even and odd channels. Between units this is the same. The halves are joined by a
    stack, because mxnet 1.9.1 fails in the backward pass of a concatenation before a convolution when the
    channels of a part are no multiple of 16.

    Args:
        channels: channels of input and output, even.
        norm: from :func:`gluon_yolo.models.layers.make_norm`.
    """

    def __init__(self, channels: int, norm: NormFactory, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.half = channels // 2
        self.main = _main_branch(self.half, self.half, self.half, 1, norm)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Turn (B, channels, H, W) into the same shape: the even channels, then the convolved odd ones."""
        pairs = F.reshape(x, shape=(-1, self.half, 2, 0, 0), reverse=True)
        even, odd = F.split(pairs, num_outputs=2, axis=2, squeeze_axis=True)
        halves = F.stack(even, self.main(odd), axis=1)
        return F.reshape(halves, shape=(-1, 2 * self.half, 0, 0), reverse=True)


class DownsamplingUnit(gluon.HybridBlock):
    """A unit of stride 2: two parallel branches, each of which reads all channels.

    Args:
        in_channels: channels of the input and of the first branch's output.
        channels: channels of the output.
        norm: from :func:`gluon_yolo.models.layers.make_norm`.
    """

    def __init__(self, in_channels: int, channels: int, norm: NormFactory, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.projection = gluon.nn.HybridSequential(prefix="")
        self.projection.add(
            _depthwise(in_channels, 2, norm), conv_cell(in_channels, 1, norm, in_channels=in_channels)
        )
        self.main = _main_branch(in_channels, channels // 2, channels - in_channels, 2, norm)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Turn (B, in_channels, H, W) into (B, channels, H / 2, W / 2)."""
        return F.concat(self.projection(x), self.main(x), dim=1)


def _main_branch(
    in_channels: int, wide: int, channels: int, stride: int, norm: NormFactory
) -> gluon.nn.HybridSequential:
    branch = gluon.nn.HybridSequential(prefix="")
    branch.add(
        conv_cell(wide, 1, norm, in_channels=in_channels),
        _depthwise(wide, stride, norm),
        conv_cell(channels, 1, norm, in_channels=wide),
    )
    return branch


def _depthwise(channels: int, stride: int, norm: NormFactory) -> gluon.HybridBlock:
    return conv_cell(channels, 3, norm, stride, groups=channels, activation="linear", in_channels=channels)


def shufflenetv2(norm: NormFactory) -> Backbone:
    """Build ShuffleNetV2 0.5; its maps have strides 16 and 32 and 96 and 192 channels."""
    in_channels = STEM_CHANNELS
    stages, published = [], []
    for index, groups in enumerate(STAGES):
        stage = gluon.nn.HybridSequential(prefix="")
        if index == 0:
            stage.add(conv_cell(in_channels, 3, norm, stride=2, in_channels=3), gluon.nn.MaxPool2D(3, 2, 1))
        for channels, units in groups:
            stage.add(DownsamplingUnit(in_channels, channels, norm))
            stage.add(*(ShuffleUnit(channels, norm) for _ in range(units - 1)))
            in_channels = channels
        stages.append(stage)
        published.append(in_channels)
    return Backbone(stages, published, (16, 32))
