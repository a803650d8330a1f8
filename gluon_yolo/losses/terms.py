"""Positives: what the losses read at the rows that hold an object, and the terms that they are made of."""

from __future__ import annotations

from gluon_yolo.assigners import BOX, BOX_WEIGHT, CLASS, INDEX, WEIGHT
from gluon_yolo.errors import UserError
from gluon_yolo.losses.iou import OVERLAPS
from gluon_yolo.spec import BOX_LOSSES, DetectionSpec

_COLUMNS = {"index": INDEX, "class": CLASS, "weight": WEIGHT, "box_weight": BOX_WEIGHT}


def choose_box_loss(spec: DetectionSpec, box_loss: str) -> str:
    """Return the box loss that a name of ``BOX_LOSSES`` means for a spec.

    ``auto`` is the loss of the network's own paper: YOLOv3's for its layout and coding, CIoU otherwise.

    Raises:
        UserError: for another name, or YOLOv3's loss for a network that is not coded or laid out so.
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
    """Return by how much class targets are softened.

    Raises:
        ValueError: when it is not within 0 and 1/2.
    """
    if not 0 <= label_smooth <= 0.5:
        raise ValueError(f"label_smooth: expected 0 to 0.5, got {label_smooth}")
    return float(label_smooth)


def read_columns(F, targets) -> dict:
    """Return a target batch's columns ``index``, ``class``, ``weight`` and ``box_weight``, each (B, M, 1)."""
    return {name: F.slice_axis(targets, axis=2, begin=at, end=at + 1) for name, at in _COLUMNS.items()}


def truth_boxes(F, targets):
    """Return the boxes (B, M, 4) of a target batch (B, M, 12): corners in input pixels."""
    return F.slice_axis(targets, axis=2, begin=BOX.start, end=BOX.stop)


def positions(F, index):
    """Turn flat anchor indices (B, M) into what ``gather_nd`` takes on a table (B, N, ...)."""
    image = F.broadcast_like(F.reshape(F.contrib.arange_like(index, axis=0), (-1, 1)), index)
    return F.stack(image, index, axis=0)


def box_distance(F, box_loss, box_coder, deltas, places, truth):
    """Return one minus the overlap of each predicted box with its truth.

    Args:
        F: ``mx.nd`` or ``mx.sym``.
        box_loss: a name of ``OVERLAPS``.
        box_coder: the spec's.
        deltas: (B, M, 4) raw predictions at the target rows.
        places: (B, M, 6) of their anchors (:class:`gluon_yolo.models.decode.Places`).
        truth: (B, M, 4) corners.

    Returns:
        (B, M), 0 where the boxes are the same; also for rows of padding, where it means nothing.
    """
    sides = box_coder.decode_rows(F, deltas, places)
    overlap = OVERLAPS[box_loss](F, sides, tuple(F.split(truth, num_outputs=4, axis=2)))
    return 1 - F.reshape(overlap, (0, -1))


def softplus(F, x):
    """Return log(1 + exp(x)) without overflow: the cross-entropy of logit ``x`` against 0."""
    return F.Activation(x, act_type="softrelu")


def cross_entropy(F, logit, target):
    """Return the binary cross-entropy of logits against targets in 0..1, same shape."""
    return softplus(F, logit) - logit * target
