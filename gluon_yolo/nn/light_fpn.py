"""The light feature pyramid of Yolo-FastestV2: maps of a backbone in, maps for classes and for boxes out."""

from __future__ import annotations

from collections.abc import Sequence

from gluon_yolo.compat import gluon
from gluon_yolo.nn.layers import NormFactory, conv_cell, weighted_layers


class Towers(gluon.HybridBlock):
    """One level: a 1x1 convolution narrows the map, then classes and boxes go separate ways.

    Args:
        in_channels: of the input map.
        channels: of both maps returned.
        norm: from :func:`gluon_yolo.nn.layers.make_norm`.
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
        norm: from :func:`gluon_yolo.nn.layers.make_norm`.

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
