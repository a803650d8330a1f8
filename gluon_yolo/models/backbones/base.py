"""What every backbone promises."""

from __future__ import annotations

from collections.abc import Sequence

from gluon_yolo.mxnet_compat import gluon


class Backbone(gluon.HybridBlock):
    """Turn a standardised image (B, 3, H, W) into one feature map per stage, ascending stride.

    Args:
        stages: blocks to run one after the other; each one's output is published.
        channels: of each published map.
        strides: input pixels per cell of each published map.
    """

    def __init__(
        self, stages: Sequence[gluon.HybridBlock], channels: Sequence[int], strides: Sequence[int], **kwargs
    ):
        """Register the stages."""
        super().__init__(**kwargs)
        self.channels = tuple(channels)
        self.strides = tuple(strides)
        self.stages = gluon.nn.HybridSequential(prefix="")
        self.stages.add(*stages)

    def hybrid_forward(self, F, x):
        """Return a tuple of maps (B, C, H/s, W/s)."""
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return tuple(maps)
