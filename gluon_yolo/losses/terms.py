"""Parts that the losses share: columns of the targets, box distances and cross-entropies."""

from __future__ import annotations

from typing import Any

from gluon_yolo.assigners import BOX, BOX_WEIGHT, CLASS, COLUMNS, INDEX, WEIGHT
from gluon_yolo.errors import UserError
from gluon_yolo.losses.iou import OVERLAPS
from gluon_yolo.models.box_coder import BoxCoder
from gluon_yolo.spec import BOX_LOSSES, DetectionSpec

_COLUMNS = {"index": INDEX, "class": CLASS, "weight": WEIGHT, "box_weight": BOX_WEIGHT}


def choose_box_loss(spec: DetectionSpec, box_loss: str) -> str:
    """Return the box loss that a name of ``BOX_LOSSES`` stands for with this spec.

    ``auto`` is the loss of the network's own paper: YOLOv3's for its layout and coding, else CIoU.

    Raises:
        UserError: the name is unknown, or YOLOv3's loss does not fit the box coding or score rule.
    """
    if box_loss not in BOX_LOSSES:
        raise UserError(
            f"box loss {box_loss!r}: there is none of that name; choose from {', '.join(BOX_LOSSES)}"
        )
    fits = spec.box_coding == "yolo3" and spec.score_rule == "objectness_times_class"
    if box_loss == "auto":
        return "yolo3" if fits else "ciou"
    if box_loss == "yolo3" and not fits:
        raise UserError(
            f"box loss 'yolo3': does not fit this network's boxes (box coding {spec.box_coding}, score rule "
            f"{spec.score_rule}); choose from auto, {', '.join(OVERLAPS)}"
        )
    return box_loss


def check_smoothing(label_smooth: float) -> float:
    """Return the label smoothing.

    Raises:
        ValueError: it is not within 0 and 1/2.
    """
    if not 0 <= label_smooth <= 0.5:
        raise ValueError(f"label_smooth: expected 0 to 0.5, got {label_smooth}")
    return float(label_smooth)


def read_columns(F: Any, targets: Any) -> dict[str, Any]:
    """Return the columns ``index``, ``class``, ``weight`` and ``box_weight`` of targets, each (B, M, 1)."""
    return {name: F.slice_axis(targets, axis=2, begin=at, end=at + 1) for name, at in _COLUMNS.items()}


def positive_entropy(F: Any, logit: Any, weight: Any, soft: bool) -> Any:
    """Return the cross-entropy (B, M) of the objectness logits (B, M) at the positives.

    Args:
        F: ``mx.nd`` or ``mx.sym``.
        logit: (B, M).
        weight: (B, M) of the target rows; 0 counts nothing.
        soft: whether the weight is the probability of an object, else the row's share of the loss.
    """
    entropy = weight * softplus(F, -logit)
    return entropy + (weight > 0) * (1 - weight) * softplus(F, logit) if soft else entropy


def soft_classes(F: Any, targets: Any) -> Any:
    """Return the probabilities (B, M, C) of soft targets (B, M, 12 + C)."""
    return F.slice_axis(targets, axis=2, begin=COLUMNS, end=None)


def truth_boxes(F: Any, targets: Any) -> Any:
    """Return the boxes (B, M, 4) of targets (B, M, 12): corners in input pixels."""
    return F.slice_axis(targets, axis=2, begin=BOX.start, end=BOX.stop)


def first_rows(F: Any, rows: Any, rows_per_object: int) -> Any:
    """Return the first of each object's P rows: of (B, K * P, D) the (B, K, D)."""
    if rows_per_object == 1:
        return rows
    by_object = F.reshape(rows, (0, -4, -1, rows_per_object, 0))
    return F.reshape(F.slice_axis(by_object, axis=2, begin=0, end=1), (0, -3, 0))


def positions(F: Any, index: Any) -> Any:
    """Turn flat anchor indices (B, M) into indices (2, B, M) of ``gather_nd`` in a table (B, N, ...)."""
    image = F.broadcast_like(F.reshape(F.contrib.arange_like(index, axis=0), (-1, 1)), index)
    return F.stack(image, index, axis=0)


def box_distance(
    F: Any, box_loss: str, box_coder: type[BoxCoder], deltas: Any, anchor_rows: Any, truth: Any
) -> Any:
    """Return one minus the overlap of each predicted box with its ground truth.

    Args:
        F: ``mx.nd`` or ``mx.sym``.
        box_loss: a name of ``OVERLAPS``.
        box_coder: of the spec.
        deltas: (B, M, 4) raw predictions at the target rows.
        anchor_rows: (B, M, 6) rows of the anchor grid (:class:`gluon_yolo.models.decode.AnchorGrid`).
        truth: (B, M, 4) corners in input pixels.

    Returns:
        (B, M), 0 where the boxes are equal; values at padding rows have no meaning.
    """
    sides = box_coder.decode_rows(F, deltas, anchor_rows)
    overlap = OVERLAPS[box_loss](F, sides, tuple(F.split(truth, num_outputs=4, axis=2)))
    return 1 - F.reshape(overlap, (0, -1))


def softplus(F: Any, x: Any) -> Any:
    """Return log(1 + exp(x)) without overflow: the cross-entropy of logit ``x`` with target 0."""
    return F.Activation(x, act_type="softrelu")


def cross_entropy(F: Any, logit: Any, target: Any) -> Any:
    """Return the binary cross-entropy of logits with targets in 0..1, same shape."""
    return softplus(F, logit) - logit * target
