"""Heads: they turn feature maps into raw maps."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.errors import UserError
from gluon_yolo.models.head_layout import BOX_CHANNELS, DELTAS, OBJECTNESS
from gluon_yolo.mxnet_compat import gluon, mx


class DecoupledHeads(gluon.HybridBlock):
    """The heads of Yolo-FastestV2: three 1x1 convolutions, shared by all levels.

    They predict deltas and objectness of each anchor, and classes of each cell: all anchors of a cell share
    their classes. Objectness is computed from the class map.

    Source: github.com/dog-qiuqiu/Yolo-FastestV2, ``model/detector.py``.

    Args:
        in_channels: channels of every input map.
        anchors_per_level: A of each level, all equal.
        num_classes: C.

    Attributes:
        class_channels: by parameter name: the channels of classes.

    Raises:
        UserError: the levels have different numbers of anchors.
    """

    def __init__(
        self, in_channels: int, anchors_per_level: Sequence[int], num_classes: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if len(set(anchors_per_level)) != 1:
            counts = ", ".join(map(str, anchors_per_level))
            raise UserError(
                f"anchors: the levels share one head, so each wants as many anchors; got {counts}"
            )
        anchors = anchors_per_level[0]
        channels = ClassChannels(level=0, anchors=1, box_channels=0)
        self.class_channels = {"classes.weight": channels, "classes.bias": channels}
        self.boxes = _head(DELTAS * anchors, in_channels)
        self.objectness = _head(anchors, in_channels)
        self.classes = _head(num_classes, in_channels)

    def set_prior(self, probability: float) -> None:
        """Set the bias so that every anchor's objectness is ``probability`` before training.

        So the negatives, which are most of the anchors, start near their target (Lin et al. 2017, section
        4.1).
        """
        bias = self.objectness.bias
        bias.set_data(mx.nd.full(bias.shape, -math.log(1 / probability - 1)))

    def hybrid_forward(self, F: Any, *maps: Any) -> Any:
        """Turn the class map and the box map of each level into raw maps.

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            maps: (B, in_channels, H, W) each; a class map, then a box map per level, by ascending stride.

        Returns:
            A tuple of (B, 5 * A + C, H, W), one per level: by anchor tx, ty, tw, th; then A objectness
            logits; then C class logits.
        """
        return tuple(
            F.concat(self.boxes(boxes), self.objectness(classes), self.classes(classes), dim=1)
            for classes, boxes in zip(maps[::2], maps[1::2])
        )


def _head(channels: int, in_channels: int) -> gluon.nn.Conv2D:
    return gluon.nn.Conv2D(channels, 1, in_channels=in_channels, weight_initializer=mx.init.Normal(0.01))


class YOLOv3Heads(gluon.HybridBlock):
    """The heads of YOLOv3: one 1x1 convolution per level.

    It predicts, for each of A anchors, 4 deltas, objectness and C class logits (Redmon & Farhadi 2018,
    section 2.3).

    Args:
        in_channels: channels of each level's input map, by ascending stride.
        anchors_per_level: A of each level.
        num_classes: C.

    Attributes:
        class_channels: by parameter name: the channels of classes.
    """

    def __init__(
        self, in_channels: Sequence[int], anchors_per_level: Sequence[int], num_classes: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.channels_per_anchor = BOX_CHANNELS + num_classes
        self.class_channels = {
            f"levels.{level}.{kind}": ClassChannels(level, anchors)
            for level, anchors in enumerate(anchors_per_level)
            for kind in ("weight", "bias")
        }
        self.levels = gluon.nn.HybridSequential(prefix="")
        for width, anchors in zip(in_channels, anchors_per_level):
            channels = anchors * self.channels_per_anchor
            self.levels.add(
                gluon.nn.Conv2D(channels, 1, in_channels=width, weight_initializer=mx.init.Normal(0.01))
            )

    def set_prior(self, probability: float) -> None:
        """Set the biases so that every anchor's objectness is ``probability`` before training.

        So the negatives, which are most of the anchors, start near their target (Lin et al. 2017, section
        4.1).
        """
        for level in self.levels:
            set_bias_prior(level.bias, self.channels_per_anchor, probability)

    def hybrid_forward(self, F: Any, *maps: Any) -> Any:
        """Turn maps (B, K, H, W) into raw maps (B, A * (5 + C), H, W)."""
        return tuple(level(x) for level, x in zip(self.levels, maps))


def set_bias_prior(bias: gluon.Parameter, channels_per_anchor: int, probability: float) -> None:
    """Set the objectness values of a level's bias to the logit of ``probability``; the others stay.

    Args:
        bias: (A * channels_per_anchor,).
        channels_per_anchor: 5 + C.
        probability: objectness that features of 0 give.
    """
    values = parameter_io.array(bias)
    values[OBJECTNESS::channels_per_anchor] = -math.log(1 / probability - 1)
    bias.set_data(mx.nd.array(values))


@dataclasses.dataclass(frozen=True)
class ClassChannels:
    """Position of the classes in a head's weight or bias: for each anchor the box channels, then C classes.

    Args:
        level: index of the head's level.
        anchors: A; 1 where all anchors of a cell share their classes.
        box_channels: rows of an anchor before its classes; 0 where the array has classes only.
    """

    level: int
    anchors: int
    box_channels: int = BOX_CHANNELS

    def count(self, array: np.ndarray, anchors: int) -> int:
        """Return the number of classes in the array of a head that has ``anchors`` anchors per cell."""
        return len(array) // (anchors if self.box_channels else 1) - self.box_channels

    def take_over(
        self,
        fresh: np.ndarray,
        trained: np.ndarray,
        class_names: Sequence[str],
        trained_names: Sequence[str],
    ) -> np.ndarray:
        """Return a new array with a trained array's box channels and its classes of the same names.

        Args:
            fresh: (A * (box_channels + C), ...) weight or bias of the new head.
            trained: (A * (box_channels + D), ...) weight or bias of the trained head.
            class_names: C names of the new head.
            trained_names: D names of the trained head; empty when they are not known.

        Returns:
            An array with the shape of ``fresh``; classes that the trained head does not have keep their new
            values.
        """
        new = fresh.reshape((self.anchors, -1) + fresh.shape[1:]).copy()
        old = trained.reshape((self.anchors, -1) + trained.shape[1:])
        new[:, : self.box_channels] = old[:, : self.box_channels]
        for index, name in enumerate(class_names):
            if name in trained_names:
                there = list(trained_names).index(name)
                new[:, self.box_channels + index] = old[:, self.box_channels + there]
        return new.reshape(fresh.shape)
