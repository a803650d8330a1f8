"""Losses: raw maps and sparse targets to the losses that a network is trained by, as one graph."""

from __future__ import annotations

from gluon_yolo.losses.fastestv2 import YoloFastestV2Loss
from gluon_yolo.losses.yolo3 import YOLOv3Loss
from gluon_yolo.models.head_layout import head_layout_of
from gluon_yolo.mxnet_compat import gluon
from gluon_yolo.spec import DetectionSpec

__all__ = ["YOLOv3Loss", "YoloFastestV2Loss", "make_loss"]

# By the name of the score rule: it says what objectness and classes are.
_LOSSES = {"objectness_times_class": YOLOv3Loss, "objectness_times_softmax": YoloFastestV2Loss}


def make_loss(spec: DetectionSpec, box_loss: str = "auto", label_smooth: float = 0.0) -> gluon.HybridBlock:
    """Return the loss that a spec's networks are trained by.

    It is called with the raw maps, ascending stride, and the targets (B, M, 12), and returns one array (B,)
    for each of its ``names``.

    Args:
        spec: anchors, strides, box coding, score rule.
        box_loss: of :data:`gluon_yolo.spec.BOX_LOSSES`; ``auto`` is what suits the coding.
        label_smooth: by how much class targets are softened, 0 to 0.5.

    Raises:
        UserError: for a box loss that is not there or does not fit the spec.
        ValueError: for a score rule or box coding that is not there, or a smoothing out of range.
    """
    return _LOSSES[head_layout_of(spec).name](spec, label_smooth, box_loss)
