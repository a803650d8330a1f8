"""Darknet-53 (Redmon & Farhadi 2018, table 1) without its classifier."""

from __future__ import annotations

from typing import Any

from gluon_yolo.models.backbones.base import Backbone
from gluon_yolo.models.layers import NormFactory, conv_cell
from gluon_yolo.mxnet_compat import gluon

# (channels after the downsampling convolution, number of residual blocks after it), by output stage.
STAGES = (((64, 1), (128, 2), (256, 8)), ((512, 8),), ((1024, 4),))


class Residual(gluon.HybridBlock):
    """A residual block: 1x1 to half of the channels, 3x3 back to all of them, plus the input; shape kept.

    Args:
        channels: channels of input and output.
        norm: from :func:`gluon_yolo.models.layers.make_norm`.
        activation: of both convolutions.
    """

    def __init__(self, channels: int, norm: NormFactory, activation: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.body = gluon.nn.HybridSequential(prefix="")
        self.body.add(
            conv_cell(channels // 2, 1, norm, activation=activation, in_channels=channels),
            conv_cell(channels, 3, norm, activation=activation, in_channels=channels // 2),
        )

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return the input plus the residual branch, (B, channels, H, W)."""
        return x + self.body(x)


def darknet53(norm: NormFactory, activation: str = "leaky") -> Backbone:
    """Build Darknet-53; its maps have strides 8, 16, 32 and 256, 512, 1024 channels.

    Args:
        norm: from :func:`gluon_yolo.models.layers.make_norm`.
        activation: of all convolutions; darknet's leaky ReLU has the slope 0.1, timm's 0.01.
    """
    in_channels = 32
    stages, published = [], []
    for index, groups in enumerate(STAGES):
        stage = gluon.nn.HybridSequential(prefix="")
        if index == 0:
            stage.add(conv_cell(in_channels, 3, norm, activation=activation, in_channels=3))
        for channels, repeats in groups:
            stage.add(conv_cell(channels, 3, norm, stride=2, activation=activation, in_channels=in_channels))
            for _ in range(repeats):
                stage.add(Residual(channels, norm, activation))
            in_channels = channels
        stages.append(stage)
        published.append(in_channels)
    return Backbone(stages, published, (8, 16, 32))
