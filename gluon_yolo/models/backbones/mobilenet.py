"""MobileNet 1.0 (Howard et al. 2017, table 1) up to its last depthwise-separable block."""

from __future__ import annotations

from gluon_yolo.models.backbones.base import Backbone
from gluon_yolo.models.layers import NormFactory, conv_cell
from gluon_yolo.mxnet_compat import gluon

# (channels after the pointwise convolution, stride of the depthwise one) of the 13 blocks, by output stage.
STAGES = (
    ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)),
    ((512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1)),
    ((1024, 2), (1024, 1)),
)


def mobilenet(multiplier: float, norm: NormFactory, activation: str = "relu") -> Backbone:
    """Build MobileNet 1.0 with all widths scaled by ``multiplier``; its maps have strides 8, 16, 32.

    Args:
        multiplier: of the widths.
        norm: from :func:`gluon_yolo.models.layers.make_norm`.
        activation: of all cells; GluonCV's and the paper's is ``relu``, TensorFlow's and timm's ``relu6``.
    """
    in_channels = int(32 * multiplier)
    stages, channels = [], []
    for index, blocks in enumerate(STAGES):
        stage = gluon.nn.HybridSequential(prefix="")
        if index == 0:
            stage.add(conv_cell(in_channels, 3, norm, 2, 1, activation, in_channels=3))
        for width, stride in blocks:
            out_channels = int(width * multiplier)
            stage.add(
                conv_cell(in_channels, 3, norm, stride, in_channels, activation, in_channels),
                conv_cell(out_channels, 1, norm, 1, 1, activation, in_channels),
            )
            in_channels = out_channels
        stages.append(stage)
        channels.append(in_channels)
    return Backbone(stages, channels, (8, 16, 32))
