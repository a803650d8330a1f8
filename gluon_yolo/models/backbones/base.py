"""The base class of all backbones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gluon_yolo.mxnet_compat import gluon


class Backbone(gluon.HybridBlock):
    """Turn a normalised image (B, 3, H, W) into one feature map per stage, by ascending stride.

    Args:
        stages: blocks to run in sequence; the output of each is one of the backbone's maps.
        channels: channels of each map.
        strides: input pixels per cell of each map.
    """

    def __init__(
        self,
        stages: Sequence[gluon.HybridBlock],
        channels: Sequence[int],
        strides: Sequence[int],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channels = tuple(channels)
        self.strides = tuple(strides)
        self.stages = gluon.nn.HybridSequential(prefix="")
        self.stages.add(*stages)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return a tuple of maps (B, C, H / stride, W / stride)."""
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return tuple(maps)
