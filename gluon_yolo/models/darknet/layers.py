"""What layers a darknet network has: one record per section, channels and sizes worked out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from gluon_yolo.models.darknet.section import Section

IMAGE = -1  # the index that stands for the network's input


@dataclasses.dataclass(frozen=True)
class Shape:
    """Channels and size of a map, for the cfg's own input size."""

    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        """Say it as height x width x channels."""
        return f"{self.height}x{self.width}x{self.channels}"


@dataclasses.dataclass(frozen=True)
class Layer:
    """Any layer.

    Args:
        index: darknet's number of it, from 0; ``[net]`` does not count.
        section: where it stands in the cfg.
        inputs: indices of the layers that it reads, ``IMAGE`` for the network's input.
        output: of its map.
    """

    index: int
    section: Section
    inputs: tuple[int, ...]
    output: Shape


@dataclasses.dataclass(frozen=True)
class Convolution(Layer):
    """A convolution, batch norm or bias, activation.

    Args:
        in_channels: of its input.
        kernel: side of the square kernel.
        stride_hw: step down and across.
        padding: zeros on each side.
        dilation: cells from one tap of the kernel to the next.
        groups: the input's channels fall into so many parts.
        normalized: batch norm instead of a bias.
        activation: darknet's name of it.
    """

    in_channels: int
    kernel: int
    stride_hw: tuple[int, int]
    padding: int
    dilation: int
    groups: int
    normalized: bool
    activation: str

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """Output channels, input channels of a group, kernel height and width."""
        return (self.output.channels, self.in_channels // self.groups, self.kernel, self.kernel)


@dataclasses.dataclass(frozen=True)
class MaxPool(Layer):
    """The maximum of each window.

    Args:
        kernel: side of the square window.
        stride_hw: step down and across.
        padding: cells added in all, the smaller half before and the larger behind.
    """

    kernel: int
    stride_hw: tuple[int, int]
    padding: int


@dataclasses.dataclass(frozen=True)
class AvgPool(Layer):
    """The mean of each channel over the whole map."""


@dataclasses.dataclass(frozen=True)
class Upsample(Layer):
    """Each cell repeated ``factor`` times down and across."""

    factor: int


@dataclasses.dataclass(frozen=True)
class Route(Layer):
    """Its inputs side by side, of each only part ``group_id`` of ``groups`` equal parts of the channels."""

    groups: int
    group_id: int


@dataclasses.dataclass(frozen=True)
class Shortcut(Layer):
    """Its first input, plus the others as far as their channels go, then the activation."""

    activation: str


@dataclasses.dataclass(frozen=True)
class Scale(Layer):
    """Its second input times its first, of the same size or 1x1, then the activation: scale_channels, sam."""

    activation: str


@dataclasses.dataclass(frozen=True)
class Dropout(Layer):
    """Nothing in inference; in training each value falls with probability ``rate``."""

    rate: float


@dataclasses.dataclass(frozen=True)
class Yolo(Layer):
    """A head: its input is a raw map.

    Args:
        anchors: (width, height) in pixels of those that this head uses.
        num_classes: C.
        scale_x_y: how far the centre may go beyond its cell; 1 is YOLOv3's.
        new_coords: whether sizes are ``(2 t)^2`` and the maps are past their sigmoid (AlexeyAB's yolov4-csp).
        training: what only assignment and loss read, as written: ``ignore_thresh``, ``iou_loss``, ...
    """

    anchors: tuple[tuple[float, float], ...]
    num_classes: int
    scale_x_y: float
    new_coords: bool
    training: Mapping[str, str]
