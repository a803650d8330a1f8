"""Necks: feature maps of a backbone in, feature maps for the heads out."""

from __future__ import annotations

from collections.abc import Sequence

from gluon_yolo.models.layers import NormFactory, conv_cell, weighted_layers
from gluon_yolo.mxnet_compat import gluon


class Towers(gluon.HybridBlock):
    """One level: a 1x1 convolution narrows the map, then classes and boxes go separate ways.

    Args:
        in_channels: of the input map.
        channels: of both maps returned.
        norm: from :func:`gluon_yolo.models.layers.make_norm`.
    """

    def __init__(self, in_channels: int, channels: int, norm: NormFactory, **kwargs):
        """Build the convolutions."""
        super().__init__(**kwargs)
        self.narrow = conv_cell(channels, 1, norm, in_channels=in_channels)
        self.classes = _tower(channels, norm)
        self.boxes = _tower(channels, norm)

    def hybrid_forward(self, F, x):
        """Return the maps for classes and for boxes, each (B, channels, H, W)."""
        x = self.narrow(x)
        return self.classes(x), self.boxes(x)


def _tower(channels: int, norm: NormFactory) -> gluon.nn.HybridSequential:
    """Build twice a 5x5 depthwise convolution with ReLU and a linear 1x1 convolution."""
    tower = gluon.nn.HybridSequential(prefix="")
    for _ in range(2):
        tower.add(
            conv_cell(channels, 5, norm, groups=channels, in_channels=channels),
            conv_cell(channels, 1, norm, activation="linear", in_channels=channels),
        )
    return tower


class LightFPN(gluon.HybridBlock):
    """Put the deeper maps, enlarged, beside each finer one, and part each level's map by what it is for.

    What goes up is the backbone's map as it is: no level waits for another's convolutions.

    Args:
        in_channels: of the backbone's maps, ascending stride.
        channels: of every map returned.
        norm: from :func:`gluon_yolo.models.layers.make_norm`.

    Attributes:
        channels: of every map returned.
        layer_names: the places of the convolutions, in the order of computation.
    """

    def __init__(self, in_channels: Sequence[int], channels: int, norm: NormFactory, **kwargs):
        """Build each level, the coarsest first."""
        super().__init__(**kwargs)
        self.channels = channels
        self.levels = gluon.nn.HybridSequential(prefix="")
        joined = 0
        for width in reversed(in_channels):
            joined += width
            self.levels.add(Towers(joined, channels, norm))
        self.layer_names = weighted_layers(self)

    def hybrid_forward(self, F, *maps):
        """Turn the backbone's maps into a class and a box map per level, flat, by ascending stride."""
        joined = maps[-1]
        pairs = [self.levels[0](joined)]
        for depth, finer in enumerate(reversed(maps[:-1]), start=1):
            joined = F.concat(F.UpSampling(joined, scale=2, sample_type="nearest"), finer, dim=1)
            pairs.append(self.levels[depth](joined))
        return tuple(x for pair in reversed(pairs) for x in pair)


class YOLOv3Block(gluon.HybridBlock):
    """Five alternating 1x1 and 3x3 convolutions give the route upwards; a sixth gives the head's input.

    Args:
        in_channels: of the input map.
        channels: of the route; the head's input has twice as many.
        norm: from :func:`gluon_yolo.models.layers.make_norm`.
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
        norm: from :func:`gluon_yolo.models.layers.make_norm`.

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
