"""Yolo-FastestV2's loss: three losses from raw maps, whose classes are per cell, and sparse targets."""

from __future__ import annotations

from typing import Any

from gluon_yolo.losses.terms import (
    box_distance,
    check_smoothing,
    choose_box_loss,
    positions,
    positive_entropy,
    read_columns,
    soft_classes,
    softplus,
    truth_boxes,
)
from gluon_yolo.models.box_coder import box_coder_of
from gluon_yolo.models.decode import AnchorGrid
from gluon_yolo.models.head_layout import head_layout_of
from gluon_yolo.mxnet_compat import gluon
from gluon_yolo.spec import DetectionSpec

BOX_GAIN, OBJECTNESS_GAIN, CLASS_GAIN = 3.2, 64.0, 32.0
LEVEL_BALANCE = (1.0, 0.4)  # weight of objectness, by ascending stride


class YoloFastestV2Loss(gluon.HybridBlock):
    """Objectness, box and class loss of each image, as in the original Yolo-FastestV2.

    The original has one number per batch of B images, a sum over the levels of

    - objectness: 64 * balance * mean over all B * N anchors of the level of the binary cross-entropy; no
      negative is ignored; balance is 1 at the finer level and 0.4 at the coarser,

    - box: 3.2 * mean over the level's positives of ``1 - CIoU``,

    - class: 32 / C * mean over the level's positives of the softmax's cross-entropy.

    Here each image has its share of that number, times B. So the mean over the batch, which the trainer
    minimises, is the original's number. Means over positives are weighted by the rows' weights, all 1 without
    mixup. They are taken over the images of one device; so with D devices the trainer minimises the mean of D
    means. A row whose anchor a later row took (weight 0) does not count; the original counts such an anchor
    twice.

    Source: github.com/dog-qiuqiu/Yolo-FastestV2, ``utils/loss.py``.

    Args:
        spec: anchors, strides, box coding; two levels.
        label_smooth: ``s``, 0 to 0.5: the class target becomes ``1 - s``, and the others share ``s``.
        box_loss: ``ciou``, which is ``auto``, ``giou`` or ``diou``.
        soft: whether the targets are soft ones (:class:`gluon_yolo.losses.distillation.DistillationLoss`).

    Attributes:
        names: of the losses, in order.

    Raises:
        UserError: as for :func:`gluon_yolo.losses.terms.choose_box_loss`.
        ValueError: there are not two levels.
    """

    names = ("objectness", "box", "class")

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
        if spec.num_levels != len(LEVEL_BALANCE):
            raise ValueError(f"strides: expected {len(LEVEL_BALANCE)} levels, got {spec.strides}")
        self.box_loss = choose_box_loss(spec, box_loss)
        self.box_coder = box_coder_of(spec)
        self.rule = head_layout_of(spec)
        self.strides = spec.strides
        self.anchors_per_level = spec.anchors_per_level
        self.num_classes = spec.num_classes
        self.smooth = check_smoothing(label_smooth)
        self.anchor_grid = AnchorGrid(spec)

    def hybrid_forward(self, F: Any, *inputs: Any) -> Any:
        """Turn raw maps and targets into losses.

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            inputs: the raw maps (B, 5 * A + C, H, W), by ascending stride, then the targets (B, M, 12) of
                :func:`gluon_yolo.data.loading.collate.pad_targets`.

        Returns:
            The losses of ``names``, each (B,).
        """
        *maps, targets = inputs
        levels = [self.rule.split(F, raw, count) for raw, count in zip(maps, self.anchors_per_level)]
        deltas = F.concat(*(_delta_rows(F, level[0]) for level in levels), dim=1)
        objectness = [level[1] for level in levels]
        classes = F.concat(
            *(
                self.rule.class_rows(F, level[2], count)
                for level, count in zip(levels, self.anchors_per_level)
            ),
            dim=1,
        )
        column = {name: F.reshape(value, (0, -1)) for name, value in read_columns(F, targets).items()}
        position = positions(F, column["index"])
        anchor_rows = F.take(self.anchor_grid(*maps), column["index"])
        stride = F.reshape(F.slice_axis(anchor_rows, axis=2, begin=2, end=3), (0, -1))
        on_level = [stride == level_stride for level_stride in self.strides]
        share = _shares(F, column["weight"], on_level)

        distance = box_distance(
            F,
            self.box_loss,
            self.box_coder,
            F.gather_nd(deltas, position),
            anchor_rows,
            truth_boxes(F, targets),
        )
        if self.soft:
            wanted = soft_classes(F, targets)
        else:
            off = self.smooth / max(1, self.num_classes - 1)
            wanted = F.one_hot(column["class"], self.num_classes, 1 - self.smooth, off)
        class_loss = -F.sum(F.log_softmax(F.gather_nd(classes, position), axis=2) * wanted, axis=2)
        return (
            _objectness_loss(F, objectness, position, column["weight"], on_level, self.soft),
            F.sum(distance * share, axis=1) * BOX_GAIN,
            F.sum(class_loss * share, axis=1) * (CLASS_GAIN / self.num_classes),
        )


def _delta_rows(F: Any, deltas: Any) -> Any:
    """Turn deltas (B, A, 4, H, W) into one row per anchor (B, A * H * W, 4)."""
    return F.reshape(F.transpose(F.reshape(deltas, (0, 0, 0, -3)), axes=(0, 1, 3, 2)), (0, -3, 0))


def _shares(F: Any, weight: Any, on_level: Any) -> Any:
    """Return each row's weight (B, M) over the sum of weights on its level in the average image.

    So the mean over the batch of the images' sums of ``share * x`` is the sum over the levels of the mean of
    x.
    """
    images = F.sum(F.ones_like(F.slice_axis(weight, axis=1, begin=0, end=1)))
    weights = [weight * here for here in on_level]
    means = [F.broadcast_div(here, F.broadcast_maximum(F.sum(here), F.full((1,), 1e-12))) for here in weights]
    return F.broadcast_mul(F.add_n(*means), images)


def _objectness_loss(F: Any, objectness: Any, position: Any, weight: Any, on_level: Any, soft: bool) -> Any:
    """Return the objectness loss (B,).

    Args:
        F: ``mx.nd`` or ``mx.sym``.
        objectness: logits of each level, (B, N of the level).
        position: (2, B, M) positions of the positives among the anchors of all levels.
        weight: (B, M) of the positives.
        on_level: for each level (B, M), 1 where a positive is on it.
        soft: as :func:`gluon_yolo.losses.terms.positive_entropy` takes it.
    """
    negative = [F.mean(softplus(F, logits), axis=1) * gain for logits, gain in zip(objectness, LEVEL_BALANCE)]
    gains = [
        F.broadcast_div(here * gain, F.sum(F.ones_like(F.slice_axis(logits, axis=0, begin=0, end=1))))
        for here, logits, gain in zip(on_level, objectness, LEVEL_BALANCE)
    ]
    logit = F.gather_nd(F.concat(*objectness, dim=1), position)
    entropy = positive_entropy(F, logit, weight, soft)
    positive = (entropy - (weight > 0) * softplus(F, logit)) * F.add_n(*gains)
    return (F.add_n(*negative) + F.sum(positive, axis=1)) * OBJECTNESS_GAIN
