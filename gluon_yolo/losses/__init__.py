"""Losses: graphs from raw maps and sparse targets to the losses of each image."""

from __future__ import annotations

from gluon_yolo.losses.fastestv2 import YoloFastestV2Loss
from gluon_yolo.losses.yolo3 import YOLOv3Loss
from gluon_yolo.models.head_layout import head_layout_of
from gluon_yolo.mxnet_compat import gluon
from gluon_yolo.spec import DetectionSpec

__all__ = ["YOLOv3Loss", "YoloFastestV2Loss", "make_loss"]

# By the name of the score rule, which defines objectness and classes.
_LOSSES = {"objectness_times_class": YOLOv3Loss, "objectness_times_softmax": YoloFastestV2Loss}


def make_loss(
    spec: DetectionSpec, box_loss: str = "auto", label_smooth: float = 0.0, soft: bool = False
) -> gluon.HybridBlock:
    """Return the loss block for the networks of a spec.

    Its inputs are the raw maps, by ascending stride, and the targets (B, M, 12). Its outputs are one array
    (B,) for each of its ``names``.

    Args:
        spec: anchors, strides, box coding, score rule.
        box_loss: one of :data:`gluon_yolo.spec.BOX_LOSSES`; ``auto`` depends on the box coding.
        label_smooth: label smoothing of the classes, 0 to 0.5.
        soft: whether the targets are a teacher's: (B, M, 12 + C), with the probabilities of the classes
            behind the columns of a target row, and the probability of an object as its weight.

    Raises:
        UserError: the box loss does not exist or does not fit the spec.
        ValueError: the score rule or box coding does not exist, or ``label_smooth`` is out of range.
    """
    return _LOSSES[head_layout_of(spec).name](spec, label_smooth, box_loss, soft)
