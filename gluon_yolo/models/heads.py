"""Heads: feature maps in, raw maps out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.errors import UserError
from gluon_yolo.models.head_layout import BOX_CHANNELS, DELTAS, OBJECTNESS
from gluon_yolo.mxnet_compat import gluon, mx


class DecoupledHeads(gluon.HybridBlock):
    """Three 1x1 convolutions, the same for all levels: deltas, objectness and the classes of a cell.

    Classes are of the cell: all its anchors share them. Objectness reads the map for classes, as in
    Yolo-FastestV2.

    Args:
        in_channels: of every map.
        anchors_per_level: A of each level, all equal.
        num_classes: C.

    Attributes:
        class_channels: by parameter name, where the classes are.

    Raises:
        UserError: levels differ in their number of anchors.
    """

    def __init__(self, in_channels: int, anchors_per_level: Sequence[int], num_classes: int, **kwargs):
        """Build the convolutions."""
        super().__init__(**kwargs)
        if len(set(anchors_per_level)) != 1:
            counts = ", ".join(map(str, anchors_per_level))
            raise UserError(
                f"anchors: the levels share one head, so each wants as many anchors; got {counts}"
            )
        anchors = anchors_per_level[0]
        place = ClassChannels(level=0, anchors=1, box_channels=0)
        self.class_channels = {"classes.weight": place, "classes.bias": place}
        self.boxes = _head(DELTAS * anchors, in_channels)
        self.objectness = _head(anchors, in_channels)
        self.classes = _head(num_classes, in_channels)

    def set_prior(self, probability: float) -> None:
        """Make a fresh head give every anchor this objectness, so that negatives start near their target.

        Source: Lin et al. 2017, Focal Loss, section 4.1.
        """
        bias = self.objectness.bias
        bias.set_data(mx.nd.full(bias.shape, -math.log(1 / probability - 1)))

    def hybrid_forward(self, F, *maps):
        """Turn a class and a box map per level, flat, into raw maps.

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            maps: (B, K, H, W) each.

        Returns:
            A tuple of (B, 5 * A + C, H, W), one per level: anchor by anchor tx, ty, tw, th, then A
            objectness logits, then C class logits.
        """
        return tuple(
            F.concat(self.boxes(boxes), self.objectness(classes), self.classes(classes), dim=1)
            for classes, boxes in zip(maps[::2], maps[1::2])
        )


def _head(channels: int, in_channels: int) -> gluon.nn.Conv2D:
    return gluon.nn.Conv2D(channels, 1, in_channels=in_channels, weight_initializer=mx.init.Normal(0.01))


class YOLOv3Heads(gluon.HybridBlock):
    """One 1x1 convolution per level predicts, for each of A anchors, 4 deltas, objectness and C class logits.

    Args:
        in_channels: of each level's map, ascending stride.
        anchors_per_level: A of each level.
        num_classes: C.

    Attributes:
        class_channels: by parameter name, where the classes are.
    """

    def __init__(
        self, in_channels: Sequence[int], anchors_per_level: Sequence[int], num_classes: int, **kwargs
    ):
        """Build the convolutions."""
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
        """Make a fresh head give every anchor this objectness, so that negatives start near their target.

        Source: Lin et al. 2017, Focal Loss, section 4.1.
        """
        for level in self.levels:
            set_bias_prior(level.bias, self.channels_per_anchor, probability)

    def hybrid_forward(self, F, *maps):
        """Turn maps (B, K, H, W) into raw maps (B, A * (5 + C), H, W)."""
        return tuple(level(x) for level, x in zip(self.levels, maps))


def set_bias_prior(bias: gluon.Parameter, channels_per_anchor: int, probability: float) -> None:
    """Set a level's bias so that zero features give every anchor this objectness; the rest stays."""
    values = parameter_io.array(bias)
    values[OBJECTNESS::channels_per_anchor] = -math.log(1 / probability - 1)
    bias.set_data(mx.nd.array(values))


@dataclasses.dataclass(frozen=True)
class ClassChannels:
    """How the rows of a head's weight or bias hold classes: for each anchor, box channels, then C classes.

    Args:
        level: whose map it makes.
        anchors: A; 1 where all anchors of a cell share their classes.
        box_channels: rows of an anchor before its classes; 0 where it holds classes alone.
    """

    level: int
    anchors: int
    box_channels: int = BOX_CHANNELS

    def count(self, array: np.ndarray, anchors: int) -> int:
        """Return how many classes the array of a head with so many anchors a cell has."""
        return len(array) // (anchors if self.box_channels else 1) - self.box_channels

    def take_over(
        self,
        fresh: np.ndarray,
        trained: np.ndarray,
        class_names: Sequence[str],
        trained_names: Sequence[str],
    ) -> np.ndarray:
        """Return a fresh weight or bias with the trained one's box part and classes of the same name.

        Args:
            fresh: (A * (box channels + C), ...) of the head to come.
            trained: (A * (box channels + D), ...) of another head.
            class_names: the fresh head's C names.
            trained_names: the trained head's D names; empty when they are not known.
        """
        new = fresh.reshape((self.anchors, -1) + fresh.shape[1:]).copy()
        old = trained.reshape((self.anchors, -1) + trained.shape[1:])
        new[:, : self.box_channels] = old[:, : self.box_channels]
        for index, name in enumerate(class_names):
            if name in trained_names:
                there = list(trained_names).index(name)
                new[:, self.box_channels + index] = old[:, self.box_channels + there]
        return new.reshape(fresh.shape)
