"""Losses: raw maps and sparse targets to the four YOLOv3 losses."""

from __future__ import annotations

from gluon_yolo.assign import BOX, BOX_WEIGHT, CLASS, DELTAS, INDEX, WEIGHT
from gluon_yolo.compat import gluon
from gluon_yolo.nn.decode import level_decoders
from gluon_yolo.nn.heads import BOX_CHANNELS, OBJECTNESS
from gluon_yolo.spec import DetectionSpec


class YOLOv3Loss(gluon.HybridBlock):
    """Objectness, centre, scale and class loss of each picture (Redmon & Farhadi 2018, sections 2.1 and 2.2).

    Only objectness looks at every anchor; the others gather the predictions at the positives. A negative
    whose decoded box overlaps any ground truth more than ``spec.ignore_iou`` is left alone.

    Args:
        spec: anchors, strides, coding.
        label_smooth: class targets become ``1 - s`` and ``s``, with ``s = min(1 / C, 1 / 40)``.
    """

    def __init__(self, spec: DetectionSpec, label_smooth: bool = False, **kwargs):
        """Build a decoder per level."""
        super().__init__(**kwargs)
        self.anchors = spec.anchors
        self.ignore_iou = spec.ignore_iou
        self.num_classes = spec.num_classes
        self.smooth = min(1 / spec.num_classes, 1 / 40) if label_smooth else 0.0
        self.decoders = level_decoders(spec)

    def hybrid_forward(self, F, *inputs):
        """Turn raw maps and targets into losses.

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            inputs: the raw maps (B, A * (5 + C), H, W), ascending stride, and last the targets (B, M, 12) of
                :func:`gluon_yolo.assign.pad_targets`.

        Returns:
            Objectness, centre, scale and class loss, each (B,), summed over a picture.
        """
        *maps, targets = inputs
        # Blocked before decoding: a gradient of 0 times an exponential that overflowed would be no number.
        decoded = [decoder(F.BlockGrad(raw)) for decoder, raw in zip(self.decoders, maps)]
        corners = [F.concat(*sides, dim=1) for sides in list(zip(*decoded))[:4]]
        rows = F.concat(*(_rows(F, raw, len(level)) for raw, level in zip(maps, self.anchors)), dim=1)
        objectness = F.reshape(F.slice_axis(rows, axis=2, begin=OBJECTNESS, end=BOX_CHANNELS), (0, -1))

        column = {name: F.slice_axis(targets, axis=2, begin=at, end=at + 1) for name, at in _COLUMNS.items()}
        index = F.reshape(column["index"], (0, -1))
        weight = F.reshape(column["weight"], (0, -1))
        picture = F.broadcast_like(F.reshape(F.contrib.arange_like(index, axis=0), (-1, 1)), index)
        place = F.stack(picture, index, axis=0)
        chosen = F.gather_nd(rows, place)

        counted = F.BlockGrad(
            _overlap_at_most(
                F, corners, F.slice_axis(targets, axis=2, begin=BOX.start, end=BOX.stop), self.ignore_iou
            )
        )
        negative = F.sum(_softplus(F, objectness) * counted, axis=1)
        logit = F.reshape(F.slice_axis(chosen, axis=2, begin=OBJECTNESS, end=BOX_CHANNELS), (0, -1))
        is_positive = weight > 0
        positive = weight * _softplus(F, -logit) - is_positive * F.gather_nd(counted, place) * _softplus(
            F, logit
        )
        objectness_loss = negative + F.sum(positive, axis=1)

        box_weight = column["weight"] * column["box_weight"]
        centre = F.slice_axis(chosen, axis=2, begin=0, end=2)
        centre_target = F.slice_axis(targets, axis=2, begin=DELTAS.start, end=DELTAS.start + 2)
        scale = F.slice_axis(chosen, axis=2, begin=2, end=4)
        scale_target = F.slice_axis(targets, axis=2, begin=DELTAS.start + 2, end=DELTAS.stop)
        logits = F.slice_axis(chosen, axis=2, begin=BOX_CHANNELS, end=None)
        one_hot = F.one_hot(
            F.reshape(column["class"], (0, -1)), self.num_classes, 1 - self.smooth, self.smooth
        )
        centre_loss = F.broadcast_mul(_cross_entropy(F, centre, centre_target), box_weight)
        scale_loss = F.broadcast_mul(F.abs(scale - scale_target), box_weight)
        class_loss = F.broadcast_mul(_cross_entropy(F, logits, one_hot), column["weight"])
        return (
            objectness_loss,
            *(F.sum(loss, axis=(1, 2)) for loss in (centre_loss, scale_loss, class_loss)),
        )


_COLUMNS = {"index": INDEX, "class": CLASS, "weight": WEIGHT, "box_weight": BOX_WEIGHT}


def _rows(F, raw, anchors):
    """Turn a map (B, A * (5 + C), H, W) into one row per anchor (B, A * H * W, 5 + C)."""
    split = F.reshape(raw, (0, -4, anchors, -1, -3))
    return F.reshape(F.transpose(split, axes=(0, 1, 3, 2)), (0, -3, 0))


def _softplus(F, x):
    """Return log(1 + exp(x)) without overflow: the cross-entropy of logit ``x`` against 0."""
    return F.Activation(x, act_type="softrelu")


def _cross_entropy(F, logit, target):
    """Return the binary cross-entropy of logits against targets in 0..1, same shape."""
    return _softplus(F, logit) - logit * target


def _overlap_at_most(F, corners, truth, threshold):
    """Return 1 where a box (B, N) overlaps no truth (B, M, 4) by more than ``threshold``, else 0."""
    x1, y1, x2, y2 = (F.expand_dims(side, axis=2) for side in corners)
    tx1, ty1, tx2, ty2 = (
        F.expand_dims(F.squeeze(side, axis=2), axis=1) for side in F.split(truth, num_outputs=4, axis=2)
    )
    width = F.relu(F.broadcast_minimum(x2, tx2) - F.broadcast_maximum(x1, tx1))
    height = F.relu(F.broadcast_minimum(y2, ty2) - F.broadcast_maximum(y1, ty1))
    both_areas = F.broadcast_add((x2 - x1) * (y2 - y1), (tx2 - tx1) * (ty2 - ty1))
    # intersection / union > t, with union = both_areas - intersection, and without a division
    exceeds = width * height * (1 + threshold) - both_areas * threshold
    return F.max(exceeds, axis=2) <= 0
