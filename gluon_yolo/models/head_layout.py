"""Head layouts: the channels of a raw map, and the score that they give.

``spec.score_rule`` names the layout. A layout splits a raw map (B, K, H, W) into deltas, objectness and
classes; after :meth:`HeadLayout.split` all layouts have the same shapes. The anchors of a map are ordered by
anchor, then row, then column.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from gluon_yolo.spec import DetectionSpec

DELTAS = 4  # tx, ty, tw, th
OBJECTNESS = 4  # index among the channels of an anchor, after the deltas
BOX_CHANNELS = 5  # channels of an anchor before its class logits


class HeadLayout(ABC):
    """Base class of the layouts of raw maps."""

    name: str

    @staticmethod
    @abstractmethod
    def channels(anchors: int, classes: int) -> int:
        """Return the number of channels K of a raw map for A anchors and C classes."""

    @staticmethod
    @abstractmethod
    def split(F: Any, raw: Any, anchors: int) -> tuple[Any, ...]:
        """Split a raw map.

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            raw: (B, K, H, W).
            anchors: A.

        Returns:
            Deltas tx, ty, tw, th (B, A, 4, H, W); objectness logits (B, A * H * W); class logits (B, S, C, H
            * W), where S is A, or 1 when the anchors of a cell share their classes.
        """

    @staticmethod
    @abstractmethod
    def scores(F: Any, objectness: Any, classes: Any, anchors: int) -> Any:
        """Turn the logits of :meth:`split` into scores (B, A * H * W, C) in 0..1."""

    @staticmethod
    @abstractmethod
    def class_rows(F: Any, classes: Any, anchors: int) -> Any:
        """Turn the class logits of :meth:`split` into one row per anchor (B, A * H * W, C)."""

    @staticmethod
    @abstractmethod
    def class_probabilities(F: Any, rows: Any) -> Any:
        """Turn the class logits of :meth:`class_rows` into probabilities of the same shape."""


class ObjectnessTimesClass(HeadLayout):
    """YOLOv3's layout: each anchor has its own classes, with independent sigmoids.

    Channels (B, A * (5 + C), H, W): for each anchor tx, ty, tw, th, objectness, class logits. A score is
    ``sigmoid(objectness) * sigmoid(class logit)``.

    Source: Redmon & Farhadi 2018, sections 2.1 and 2.2.
    """

    name = "objectness_times_class"

    @staticmethod
    def channels(anchors: int, classes: int) -> int:
        """Return A * (5 + C)."""
        return anchors * (BOX_CHANNELS + classes)

    @staticmethod
    def split(F: Any, raw: Any, anchors: int) -> tuple[Any, ...]:
        """Split a raw map; the class logits are (B, A, C, H * W)."""
        by_anchor = F.reshape(raw, (0, -4, anchors, -1, 0, 0))
        deltas = F.slice_axis(by_anchor, axis=2, begin=0, end=DELTAS)
        objectness = F.reshape(F.slice_axis(by_anchor, axis=2, begin=OBJECTNESS, end=BOX_CHANNELS), (0, -1))
        classes = F.slice_axis(F.reshape(by_anchor, (0, 0, 0, -1)), axis=2, begin=BOX_CHANNELS, end=None)
        return deltas, objectness, classes

    @staticmethod
    def scores(F: Any, objectness: Any, classes: Any, anchors: int) -> Any:
        """Return products of sigmoids (B, A * H * W, C)."""
        probabilities = F.sigmoid(ObjectnessTimesClass.class_rows(F, classes, anchors))
        return F.broadcast_mul(probabilities, F.expand_dims(F.sigmoid(objectness), axis=2))

    @staticmethod
    def class_rows(F: Any, classes: Any, anchors: int) -> Any:
        """Return the logits with the classes last (B, A * H * W, C)."""
        return F.reshape(F.transpose(classes, axes=(0, 1, 3, 2)), (0, -3, 0))

    @staticmethod
    def class_probabilities(F: Any, rows: Any) -> Any:
        """Return sigmoids, whose sum may be anything from 0 to C."""
        return F.sigmoid(rows)


class ObjectnessTimesSoftmax(HeadLayout):
    """Yolo-FastestV2's layout: the anchors of a cell share their classes, with one softmax.

    Channels (B, 5 * A + C, H, W): tx, ty, tw, th of each anchor; then objectness of each anchor; then C class
    logits. A score is ``sigmoid(objectness) * softmax(class logits)``.

    Source: github.com/dog-qiuqiu/Yolo-FastestV2, ``model/detector.py`` and ``handel_preds``.
    """

    name = "objectness_times_softmax"

    @staticmethod
    def channels(anchors: int, classes: int) -> int:
        """Return 5 * A + C."""
        return anchors * BOX_CHANNELS + classes

    @staticmethod
    def split(F: Any, raw: Any, anchors: int) -> tuple[Any, ...]:
        """Split a raw map; the class logits are (B, 1, C, H * W)."""
        objectness, classes = anchors * DELTAS, anchors * BOX_CHANNELS
        deltas = F.reshape(F.slice_axis(raw, axis=1, begin=0, end=objectness), (0, -4, anchors, DELTAS, 0, 0))
        return (
            deltas,
            F.reshape(F.slice_axis(raw, axis=1, begin=objectness, end=classes), (0, -1)),
            F.reshape(F.slice_axis(raw, axis=1, begin=classes, end=None), (0, -4, 1, -1, -3)),
        )

    @staticmethod
    def scores(F: Any, objectness: Any, classes: Any, anchors: int) -> Any:
        """Return products of sigmoid and softmax (B, A * H * W, C)."""
        probabilities = F.transpose(F.softmax(classes, axis=2), axes=(0, 1, 3, 2))
        by_anchor = F.expand_dims(F.reshape(F.sigmoid(objectness), (0, -4, anchors, -1)), axis=3)
        return F.reshape(F.broadcast_mul(by_anchor, probabilities), (0, -3, 0))

    @staticmethod
    def class_rows(F: Any, classes: Any, anchors: int) -> Any:
        """Repeat the logits of each cell for each of its anchors (B, A * H * W, C)."""
        by_cell = F.transpose(classes, axes=(0, 1, 3, 2))
        return F.reshape(F.broadcast_axis(by_cell, axis=1, size=anchors), (0, -3, 0))

    @staticmethod
    def class_probabilities(F: Any, rows: Any) -> Any:
        """Return softmaxes, whose sum is 1."""
        return F.softmax(rows, axis=2)


HEAD_LAYOUTS: dict[str, type[HeadLayout]] = {
    rule.name: rule for rule in (ObjectnessTimesClass, ObjectnessTimesSoftmax)
}


def head_layout_of(spec: DetectionSpec) -> type[HeadLayout]:
    """Return the head layout of a spec's score rule.

    Raises:
        ValueError: no layout has that name.
    """
    if spec.score_rule not in HEAD_LAYOUTS:
        raise ValueError(f"score_rule: expected one of {', '.join(HEAD_LAYOUTS)}, got {spec.score_rule!r}")
    return HEAD_LAYOUTS[spec.score_rule]
