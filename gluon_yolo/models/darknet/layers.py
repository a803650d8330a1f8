"""Records of a darknet network's layers: one per section, with channels and sizes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from gluon_yolo.models.darknet.section import Section

IMAGE = -1  # index of the network's input


@dataclasses.dataclass(frozen=True)
class Shape:
    """Channels and size of a map, for the input size in the cfg."""

    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        """Return height x width x channels."""
        return f"{self.height}x{self.width}x{self.channels}"


@dataclasses.dataclass(frozen=True)
class Layer:
    """Fields of every layer.

    Args:
        index: darknet's number of the layer, from 0; ``[net]`` does not count.
        section: of the cfg.
        inputs: indices of the layers that it reads; ``IMAGE`` is the network's input.
        output: shape of its output.
    """

    index: int
    section: Section
    inputs: tuple[int, ...]
    output: Shape


@dataclasses.dataclass(frozen=True)
class Convolution(Layer):
    """Convolution, batch normalisation or bias, activation.

    Args:
        in_channels: channels of its input.
        kernel: side of the square kernel.
        stride_hw: vertical and horizontal stride.
        padding: cells of zeros on each side.
        dilation: distance in cells between taps of the kernel.
        groups: of the convolution.
        normalized: batch normalisation instead of a bias.
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
        """Output channels, input channels per group, kernel height and width."""
        return (self.output.channels, self.in_channels // self.groups, self.kernel, self.kernel)


@dataclasses.dataclass(frozen=True)
class MaxPool(Layer):
    """Max pooling.

    Args:
        kernel: side of the square window.
        stride_hw: vertical and horizontal stride.
        padding: cells added per axis; the smaller half is before the map, the larger half after it.
    """

    kernel: int
    stride_hw: tuple[int, int]
    padding: int


@dataclasses.dataclass(frozen=True)
class AvgPool(Layer):
    """Global average pooling."""


@dataclasses.dataclass(frozen=True)
class Upsample(Layer):
    """Nearest-neighbour upsampling by ``factor``."""

    factor: int


@dataclasses.dataclass(frozen=True)
class Route(Layer):
    """Concatenation of group ``group_id`` of ``groups`` equal groups of the channels of each input."""

    groups: int
    group_id: int


@dataclasses.dataclass(frozen=True)
class Shortcut(Layer):
    """Sum of the first input and the others, as far as their channels go, then the activation."""

    activation: str


@dataclasses.dataclass(frozen=True)
class Scale(Layer):
    """Product of both inputs, the first of the same size or 1x1, then the activation: scale_channels, sam."""

    activation: str


@dataclasses.dataclass(frozen=True)
class Dropout(Layer):
    """Dropout with probability ``rate`` in training."""

    rate: float


@dataclasses.dataclass(frozen=True)
class Yolo(Layer):
    """A head: its input is a raw map.

    Args:
        anchors: (width, height) in input pixels of this head's anchors.
        num_classes: C.
        scale_x_y: range of the centre in cells; 1 is YOLOv3's.
        new_coords: sizes are ``(2 t)^2`` times the anchor, and the raw map has passed a sigmoid (AlexeyAB's
            yolov4-csp).
        training: keys that only assigner and loss read, as written: ``ignore_thresh``, ``iou_loss``, ...
    """

    anchors: tuple[tuple[float, float], ...]
    num_classes: int
    scale_x_y: float
    new_coords: bool
    training: Mapping[str, str]
