"""Necks: feature maps of a backbone in, feature maps for the heads out."""

from __future__ import annotations

from collections.abc import Sequence

from gluon_yolo.compat import gluon
from gluon_yolo.nn.layers import NormFactory, conv_cell, weighted_layers


class YOLOv3Block(gluon.HybridBlock):
    """Five alternating 1x1 and 3x3 convolutions give the route upwards; a sixth gives the head's input.

    Args:
        in_channels: of the input map.
        channels: of the route; the head's input has twice as many.
        norm: from :func:`gluon_yolo.nn.layers.make_norm`.
    """

    def __init__(self, in_channels: int, channels: int, norm: NormFactory, **kwargs):
        """Build the convolutions."""
        super().__init__(**kwargs)
        self.body = gluon.nn.HybridSequential(prefix="")
        for kernel in (1, 3, 1, 3, 1):
            width = channels if kernel == 1 else 2 * channels
            self.body.add(conv_cell(width, kernel, norm, activation="leaky", in_channels=in_channels))
            in_channels = width
        self.tip = conv_cell(2 * channels, 3, norm, activation="leaky", in_channels=channels)

    def hybrid_forward(self, F, x):
        """Return the route (B, channels, H, W) and the head's input (B, 2 * channels, H, W)."""
        route = self.body(x)
        return route, self.tip(route)


class YOLOv3Neck(gluon.HybridBlock):
    """Carry deep features up to the finer maps (Redmon & Farhadi 2018, section 2.3).

    Args:
        in_channels: of the backbone's maps, ascending stride.
        channels: of each level's route, ascending stride.
        norm: from :func:`gluon_yolo.nn.layers.make_norm`.

    Attributes:
        channels: of the maps returned, ascending stride.
        layer_names: the places of the convolutions, in the order of computation.
    """

    def __init__(self, in_channels: Sequence[int], channels: Sequence[int], norm: NormFactory, **kwargs):
        """Build the blocks, and the transition from each level to the next finer one."""
        super().__init__(**kwargs)
        self.channels = tuple(2 * width for width in channels)
        self.blocks = gluon.nn.HybridSequential(prefix="")
        self.transitions = gluon.nn.HybridSequential(prefix="")
        carried = 0
        for level in reversed(range(len(channels))):
            self.blocks.add(YOLOv3Block(in_channels[level] + carried, channels[level], norm))
            if level:
                carried = channels[level - 1]
                self.transitions.add(
                    conv_cell(carried, 1, norm, activation="leaky", in_channels=channels[level])
                )
        # blocks.0..., transitions.0..., blocks.1...: the sort keeps what is of one depth as it is.
        self.layer_names = sorted(weighted_layers(self), key=lambda name: int(name.split(".")[1]))

    def hybrid_forward(self, F, *maps):
        """Turn the backbone's maps into the heads' inputs, both by ascending stride."""
        tips = []
        x = maps[-1]
        for depth, block in enumerate(self.blocks):
            x, tip = block(x)
            tips.append(tip)
            if depth < len(self.transitions):
                x = F.UpSampling(self.transitions[depth](x), scale=2, sample_type="nearest")
                x = F.concat(x, maps[-2 - depth], dim=1)
        return tuple(reversed(tips))
