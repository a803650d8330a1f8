"""Necks: they turn a backbone's feature maps into the inputs of the heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gluon_yolo.models.layers import NormFactory, conv_cell, weighted_layers
from gluon_yolo.mxnet_compat import gluon

_BEFORE_SPP = 2  # the convolution of a block that an SPP follows


class Towers(gluon.HybridBlock):
    """One level of :class:`LightFPN`: a 1x1 convolution, then one branch for classes and one for boxes.

    Args:
        in_channels: channels of the input map.
        channels: channels of both output maps.
        norm: from :func:`gluon_yolo.models.layers.make_norm`.
    """

    def __init__(self, in_channels: int, channels: int, norm: NormFactory, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.narrow = conv_cell(channels, 1, norm, in_channels=in_channels)
        self.classes = _tower(channels, norm)
        self.boxes = _tower(channels, norm)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Turn (B, in_channels, H, W) into the class map and the box map, each (B, channels, H, W)."""
        x = self.narrow(x)
        return self.classes(x), self.boxes(x)


def _tower(channels: int, norm: NormFactory) -> gluon.nn.HybridSequential:
    """Build two pairs of a 5x5 depthwise convolution with ReLU and a linear 1x1 convolution."""
    tower = gluon.nn.HybridSequential(prefix="")
    for _ in range(2):
        tower.add(
            conv_cell(channels, 5, norm, groups=channels, in_channels=channels),
            conv_cell(channels, 1, norm, activation="linear", in_channels=channels),
        )
    return tower


class LightFPN(gluon.HybridBlock):
    """The neck of Yolo-FastestV2: each level sees its own map and the upsampled deeper maps, concatenated.

    The upsampled maps are the backbone's own: no level depends on the convolutions of another level.

    Source: github.com/dog-qiuqiu/Yolo-FastestV2, ``model/fpn.py``.

    Args:
        in_channels: channels of the backbone's maps, by ascending stride.
        channels: channels of every output map.
        norm: from :func:`gluon_yolo.models.layers.make_norm`.

    Attributes:
        channels: channels of every output map.
        layer_names: names of the convolutions within the neck, in the order of computation.
    """

    def __init__(self, in_channels: Sequence[int], channels: int, norm: NormFactory, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channels = channels
        self.levels = gluon.nn.HybridSequential(prefix="")
        joined = 0
        for width in reversed(in_channels):
            joined += width
            self.levels.add(Towers(joined, channels, norm))
        self.layer_names = weighted_layers(self)

    def hybrid_forward(self, F: Any, *maps: Any) -> Any:
        """Turn the backbone's maps (B, C, H, W) into the heads' inputs.

        Returns:
            A flat tuple, by ascending stride: for each level the class map, then the box map, each (B,
            channels, H, W).
        """
        joined = maps[-1]
        pairs = [self.levels[0](joined)]
        for depth, finer in enumerate(reversed(maps[:-1]), start=1):
            joined = F.concat(F.UpSampling(joined, scale=2, sample_type="nearest"), finer, dim=1)
            pairs.append(self.levels[depth](joined))
        return tuple(x for pair in reversed(pairs) for x in pair)


class SPP(gluon.HybridBlock):
    """Spatial pyramid pooling: a map, its largest values within 2, 4 and 6 cells, then a 1x1 convolution.

    The pools of 5x5, 9x9 and 13x13 cells are one of 5x5, repeated, which gives the same values in less time
    (YOLOv5's ``SPPF``).

    Source: He et al. 2015; yolov3-spp.cfg of github.com/pjreddie/darknet.

    Args:
        channels: of the input map and of the output.
        norm: from :func:`gluon_yolo.models.layers.make_norm`.
    """

    def __init__(self, channels: int, norm: NormFactory, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.narrow = conv_cell(channels, 1, norm, activation="leaky", in_channels=4 * channels)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Turn a map (B, channels, H, W) into another of the same shape."""
        maps = [x]
        for _ in range(3):
            maps.append(F.Pooling(maps[-1], kernel=(5, 5), pad=(2, 2), pool_type="max"))
        return self.narrow(F.concat(*reversed(maps), dim=1))


class YOLOv3Block(gluon.HybridBlock):
    """Five alternating 1x1 and 3x3 convolutions give the upward route; a sixth gives the head's input.

    Args:
        in_channels: channels of the input map.
        channels: channels of the route; the head's input has twice as many.
        norm: from :func:`gluon_yolo.models.layers.make_norm`.
        has_spp: whether an :class:`SPP` follows the third convolution, as in yolov3-spp.cfg.
    """

    def __init__(
        self, in_channels: int, channels: int, norm: NormFactory, has_spp: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.spp = SPP(channels, norm) if has_spp else None
        self.body = gluon.nn.HybridSequential(prefix="")
        for kernel in (1, 3, 1, 3, 1):
            width = channels if kernel == 1 else 2 * channels
            self.body.add(conv_cell(width, kernel, norm, activation="leaky", in_channels=in_channels))
            in_channels = width
        self.tip = conv_cell(2 * channels, 3, norm, activation="leaky", in_channels=channels)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return the route (B, channels, H, W) and the head's input (B, 2 * channels, H, W)."""
        if self.spp is None:
            route = self.body(x)
        else:
            for number, cell in enumerate(self.body):
                x = cell(x)
                if number == _BEFORE_SPP:
                    x = self.spp(x)
            route = x
        return route, self.tip(route)


def _place(name: str) -> tuple[float, ...]:
    """Return where a layer of the neck is computed: in blocks.0, then transitions.0, then blocks.1, ..."""
    kind, depth, part, *rest = name.split(".")
    if kind == "transitions":
        return float(depth), 3
    place = {"body": 0, "spp": 0, "tip": 1}[part]
    return float(depth), place, _BEFORE_SPP + 0.5 if part == "spp" else float(rest[0])


class YOLOv3Neck(gluon.HybridBlock):
    """The neck of YOLOv3: deep features are upsampled and concatenated with the finer maps.

    Source: Redmon & Farhadi 2018, section 2.3.

    Args:
        in_channels: channels of the backbone's maps, by ascending stride.
        channels: channels of each level's route, by ascending stride.
        norm: from :func:`gluon_yolo.models.layers.make_norm`.
        has_spp: whether the coarsest level has an :class:`SPP`.

    Attributes:
        channels: channels of the output maps, by ascending stride.
        layer_names: names of the convolutions within the neck, in the order of computation.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: Sequence[int],
        norm: NormFactory,
        has_spp: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channels = tuple(2 * width for width in channels)
        self.blocks = gluon.nn.HybridSequential(prefix="")
        self.transitions = gluon.nn.HybridSequential(prefix="")
        carried = 0
        for level in reversed(range(len(channels))):
            is_coarsest = level == len(channels) - 1
            width = in_channels[level] + carried
            self.blocks.add(YOLOv3Block(width, channels[level], norm, has_spp and is_coarsest))
            if level:
                carried = channels[level - 1]
                self.transitions.add(
                    conv_cell(carried, 1, norm, activation="leaky", in_channels=channels[level])
                )
        self.layer_names = sorted(weighted_layers(self), key=_place)

    def hybrid_forward(self, F: Any, *maps: Any) -> Any:
        """Turn the backbone's maps into the heads' inputs (B, 2 * channels, H, W), by ascending stride."""
        tips = []
        x = maps[-1]
        for depth, block in enumerate(self.blocks):
            x, tip = block(x)
            tips.append(tip)
            if depth < len(self.transitions):
                x = F.UpSampling(self.transitions[depth](x), scale=2, sample_type="nearest")
                x = F.concat(x, maps[-2 - depth], dim=1)
        return tuple(reversed(tips))
