"""MobileNetV2 (Sandler et al. 2018, table 2) up to its last 1x1 convolution of 1280 channels."""

from __future__ import annotations

from typing import Any

from gluon_yolo.models.backbones.base import Backbone
from gluon_yolo.models.layers import NormFactory, conv_cell
from gluon_yolo.mxnet_compat import gluon

# (expansion, channels, stride) of the 17 bottlenecks, by output stage. A stage ends before the next block
# with stride 2.
STAGES = (
    ((1, 16, 1), (6, 24, 2), (6, 24, 1), (6, 32, 2), (6, 32, 1), (6, 32, 1)),
    ((6, 64, 2), (6, 64, 1), (6, 64, 1), (6, 64, 1), (6, 96, 1), (6, 96, 1), (6, 96, 1)),
    ((6, 160, 2), (6, 160, 1), (6, 160, 1), (6, 320, 1)),
)
LAST_CHANNELS = 1280


class Bottleneck(gluon.HybridBlock):
    """Inverted residual with a linear bottleneck: 1x1 expansion, depthwise 3x3, linear 1x1, plus the input.

    The input is added where the shapes agree (Sandler et al. 2018, section 3.3).

    Args:
        in_channels: channels of the input.
        channels: channels of the output.
        expansion: width of the depthwise convolution over that of the input.
        stride: of the depthwise convolution.
        norm: from :func:`gluon_yolo.models.layers.make_norm`.
    """

    def __init__(
        self, in_channels: int, channels: int, expansion: int, stride: int, norm: NormFactory, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.residual = stride == 1 and in_channels == channels
        wide = in_channels * expansion
        self.body = gluon.nn.HybridSequential(prefix="")
        if expansion != 1:
            self.body.add(conv_cell(wide, 1, norm, activation="relu6", in_channels=in_channels))
        self.body.add(
            conv_cell(wide, 3, norm, stride, groups=wide, activation="relu6", in_channels=wide),
            conv_cell(channels, 1, norm, activation="linear", in_channels=wide),
        )

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Turn (B, in_channels, H, W) into (B, channels, H / stride, W / stride)."""
        out = self.body(x)
        return out + x if self.residual else out


def _scaled(width: int, multiplier: float, divisor: int) -> int:
    """Return a scaled width: the nearest multiple of the divisor, and no less than 0.9 of it.

    Source: ``_make_divisible`` of TensorFlow's models/research/slim/nets/mobilenet.
    """
    if not divisor:
        return int(width * multiplier)
    wanted = width * multiplier
    near = max(divisor, int(wanted + divisor / 2) // divisor * divisor)
    return near if near >= 0.9 * wanted else near + divisor


def mobilenetv2(multiplier: float, norm: NormFactory, divisor: int = 0) -> Backbone:
    """Build MobileNetV2 with all widths but the last scaled by ``multiplier``; strides 8, 16, 32.

    Args:
        multiplier: of the widths.
        norm: from :func:`gluon_yolo.models.layers.make_norm`.
        divisor: of which the scaled widths are multiples, as in TensorFlow's, torchvision's and timm's
            networks; 0 cuts their fractions, as GluonCV does.
    """
    in_channels = _scaled(32, multiplier, divisor)
    stages, published = [], []
    for index, blocks in enumerate(STAGES):
        stage = gluon.nn.HybridSequential(prefix="")
        if index == 0:
            stage.add(conv_cell(in_channels, 3, norm, stride=2, activation="relu6", in_channels=3))
        for expansion, width, stride in blocks:
            channels = _scaled(width, multiplier, divisor)
            stage.add(Bottleneck(in_channels, channels, expansion, stride, norm))
            in_channels = channels
        if index == len(STAGES) - 1:
            stage.add(conv_cell(LAST_CHANNELS, 1, norm, activation="relu6", in_channels=in_channels))
            in_channels = LAST_CHANNELS
        stages.append(stage)
        published.append(in_channels)
    return Backbone(stages, published, (8, 16, 32))
