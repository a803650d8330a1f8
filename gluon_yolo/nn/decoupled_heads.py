"""Decoupled heads: separate maps for classes and for boxes in, one raw map per level out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gluon_yolo.compat import gluon, mx
from gluon_yolo.errors import UserError
from gluon_yolo.nn.heads import ClassChannels
from gluon_yolo.nn.scores import DELTAS


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
