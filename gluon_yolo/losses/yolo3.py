"""YOLOv3's loss: objectness, box and class losses from raw maps and sparse targets."""

from __future__ import annotations

from typing import Any

from gluon_yolo.assigners import DELTAS, assigner_of, rows_per_object
from gluon_yolo.losses.dynamic import DynamicChoice
from gluon_yolo.losses.terms import (
    box_distance,
    check_smoothing,
    choose_box_loss,
    cross_entropy,
    first_rows,
    positions,
    positive_entropy,
    read_columns,
    soft_classes,
    softplus,
    truth_boxes,
)
from gluon_yolo.models.box_coder import box_coder_of
from gluon_yolo.models.decode import AnchorGrid, level_decoders
from gluon_yolo.models.head_layout import BOX_CHANNELS, OBJECTNESS
from gluon_yolo.mxnet_compat import gluon
from gluon_yolo.spec import DetectionSpec

# Scales the gradient of an IoU loss to that of YOLOv3's own box loss. Mean norm over the four deltas of a
# positive, on BCCD's boxes at 416 pixels: after initialisation 1.32 with CIoU, 1.31 with DIoU, 1.55 with
# GIoU, against 2.89; near convergence 2.29, 2.29, 2.35 against 2.78.
IOU_GAIN = 2.0


class YOLOv3Loss(gluon.HybridBlock):
    """Objectness, box and class loss of each image (Redmon & Farhadi 2018, sections 2.1 and 2.2).

    Only objectness uses every anchor; the other losses use the predictions at the positives. A negative whose
    decoded box has an IoU above ``spec.ignore_iou`` with any ground truth is ignored. With a dynamic assigner
    the target rows are candidates, of which :class:`gluon_yolo.losses.dynamic.DynamicChoice` chooses.

    Args:
        spec: anchors, strides, box coding; its score rule is ``objectness_times_class``.
        label_smooth: ``s``, 0 to 0.5: class targets 1 and 0 become ``1 - s`` and ``s``.
        box_loss: ``yolo3``: cross-entropy of the centre, and absolute difference of the logarithm of the
            size; ``giou``, ``diou``, ``ciou``: one minus that overlap, times ``IOU_GAIN``; ``auto``: depends
            on the coding. Each is multiplied by the row's weight and box weight.
        soft: whether the targets are soft ones (:class:`gluon_yolo.losses.distillation.DistillationLoss`).

    Attributes:
        names: of the losses, in order.

    Raises:
        UserError: as for :func:`gluon_yolo.losses.terms.choose_box_loss`.
    """

    def __init__(
        self,
        spec: DetectionSpec,
        label_smooth: float = 0.0,
        box_loss: str = "auto",
        soft: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.soft = soft
        self.box_loss = choose_box_loss(spec, box_loss)
        self.names = (
            ("objectness", "centre", "scale", "class")
            if self.box_loss == "yolo3"
            else ("objectness", "box", "class")
        )
        self.anchors = spec.anchors
        self.box_coder = box_coder_of(spec)
        self.ignore_iou = spec.ignore_iou
        self.rows_per_object = rows_per_object(spec)
        self.num_classes = spec.num_classes
        self.smooth = check_smoothing(label_smooth)
        self.decoders = level_decoders(spec)
        self.choice = DynamicChoice(spec) if assigner_of(spec).is_dynamic else None
        has_rows = self.box_loss != "yolo3" or self.choice is not None
        self.anchor_grid = AnchorGrid(spec) if has_rows else None

    def hybrid_forward(self, F: Any, *inputs: Any) -> Any:
        """Turn raw maps and targets into losses.

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            inputs: the raw maps (B, A * (5 + C), H, W), by ascending stride, then the targets (B, M, 12) of
                :func:`gluon_yolo.data.loading.collate.pad_targets`.

        Returns:
            The losses of ``names``, each (B,), summed over the image.
        """
        *maps, targets = inputs
        # The gradient is blocked before decoding: 0 times an exponential that overflows is NaN.
        decoded = [decoder(F.BlockGrad(raw)) for decoder, raw in zip(self.decoders, maps)]
        corners = [F.concat(*sides, dim=1) for sides in list(zip(*decoded))[:4]]
        rows = F.concat(*(_rows(F, raw, len(level)) for raw, level in zip(maps, self.anchors)), dim=1)
        objectness = F.reshape(F.slice_axis(rows, axis=2, begin=OBJECTNESS, end=BOX_CHANNELS), (0, -1))

        column, truth = read_columns(F, targets), truth_boxes(F, targets)
        index = F.reshape(column["index"], (0, -1))
        position = positions(F, index)
        matched = F.gather_nd(rows, position)
        objects = first_rows(F, truth, self.rows_per_object)
        included = F.BlockGrad(_overlap_at_most(F, corners, objects, self.ignore_iou))
        anchor_rows = None if self.anchor_grid is None else F.take(self.anchor_grid(*maps), index)
        weight = column["weight"]
        if self.choice is not None:
            weight = self.choice(F, matched, anchor_rows, column, truth)
        objectness_loss = _objectness_loss(F, objectness, matched, included, position, weight, self.soft)

        deltas = F.slice_axis(matched, axis=2, begin=0, end=OBJECTNESS)
        box_weight = weight * column["box_weight"]
        if self.box_loss == "yolo3":
            box_losses = _yolo3_box_losses(F, deltas, targets)
        else:
            distance = box_distance(F, self.box_loss, self.box_coder, deltas, anchor_rows, truth)
            box_losses = (F.expand_dims(distance, axis=2) * IOU_GAIN,)
        logits = F.slice_axis(matched, axis=2, begin=BOX_CHANNELS, end=None)
        if self.soft:
            wanted = soft_classes(F, targets)
        else:
            class_id = F.reshape(column["class"], (0, -1))
            wanted = F.one_hot(class_id, self.num_classes, 1 - self.smooth, self.smooth)
        class_loss = F.broadcast_mul(cross_entropy(F, logits, wanted), weight)
        return (
            objectness_loss,
            *(F.sum(F.broadcast_mul(loss, box_weight), axis=(1, 2)) for loss in box_losses),
            F.sum(class_loss, axis=(1, 2)),
        )


def _rows(F: Any, raw: Any, anchors: int) -> Any:
    """Turn a map (B, A * (5 + C), H, W) into one row per anchor (B, A * H * W, 5 + C)."""
    split = F.reshape(raw, (0, -4, anchors, -1, -3))
    return F.reshape(F.transpose(split, axes=(0, 1, 3, 2)), (0, -3, 0))


def _objectness_loss(
    F: Any, objectness: Any, matched: Any, included: Any, position: Any, weight: Any, soft: bool
) -> Any:
    """Return the objectness loss (B,).

    Args:
        F: ``mx.nd`` or ``mx.sym``.
        objectness: (B, N) logits.
        matched: (B, M, 5 + C) rows at the positives.
        included: (B, N) 1 for an anchor that is not ignored as a negative.
        position: (2, B, M) positions of the positives.
        weight: (B, M, 1) of the positives.
        soft: as :func:`gluon_yolo.losses.terms.positive_entropy` takes it.
    """
    negative = F.sum(softplus(F, objectness) * included, axis=1)
    logit = F.reshape(F.slice_axis(matched, axis=2, begin=OBJECTNESS, end=BOX_CHANNELS), (0, -1))
    weight = F.reshape(weight, (0, -1))
    included = (weight > 0) * F.gather_nd(included, position)
    positive = positive_entropy(F, logit, weight, soft) - included * softplus(F, logit)
    return negative + F.sum(positive, axis=1)


def _yolo3_box_losses(F: Any, deltas: Any, targets: Any) -> Any:
    """Return the centre loss and the scale loss, each (B, M, 2), of raw deltas (B, M, 4)."""
    centre = F.slice_axis(deltas, axis=2, begin=0, end=2)
    centre_target = F.slice_axis(targets, axis=2, begin=DELTAS.start, end=DELTAS.start + 2)
    scale = F.slice_axis(deltas, axis=2, begin=2, end=4)
    scale_target = F.slice_axis(targets, axis=2, begin=DELTAS.start + 2, end=DELTAS.stop)
    return cross_entropy(F, centre, centre_target), F.abs(scale - scale_target)


def _overlap_at_most(F: Any, corners: Any, truth: Any, threshold: float) -> Any:
    """Return 1 where a box (B, N) has no IoU above ``threshold`` with any truth (B, M, 4), else 0."""
    x1, y1, x2, y2 = (F.expand_dims(side, axis=2) for side in corners)
    tx1, ty1, tx2, ty2 = (
        F.expand_dims(F.squeeze(side, axis=2), axis=1) for side in F.split(truth, num_outputs=4, axis=2)
    )
    width = F.relu(F.broadcast_minimum(x2, tx2) - F.broadcast_maximum(x1, tx1))
    height = F.relu(F.broadcast_minimum(y2, ty2) - F.broadcast_maximum(y1, ty1))
    both_areas = F.broadcast_add((x2 - x1) * (y2 - y1), (tx2 - tx1) * (ty2 - ty1))
    # The inequality intersection / union > threshold without a division; union = both_areas - intersection.
    exceeds = width * height * (1 + threshold) - both_areas * threshold
    return F.max(exceeds, axis=2) <= 0
