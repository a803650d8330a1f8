"""Dynamic assignment in the loss: which candidates of each object are its positives, by predicted costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gluon_yolo.assigners import rows_per_object
from gluon_yolo.losses.iou import iou
from gluon_yolo.losses.terms import softplus
from gluon_yolo.models.box_coder import box_coder_of
from gluon_yolo.models.head_layout import BOX_CHANNELS, OBJECTNESS
from gluon_yolo.spec import DetectionSpec

IOU_COST = 3.0  # of -log(IoU), beside the cross-entropy of the classes; as in YOLOX
SUMMED = 10  # the highest IoUs whose sum is the number of positives; as in YOLOX
_FAR = 1e9  # added to the cost of what is no candidate
_TINY_IOU, _TINY_PROBABILITY = 1e-8, 1e-7


class DynamicChoice:
    """Chooses an object's positives of its candidates, by what the network predicts there.

    An object has k positives: its candidates of the lowest cost, where k is the sum of its candidates' ten
    highest IoUs, rounded down, and at least 1. Where several objects choose one anchor, that of the lowest
    cost has it. So an object may have none, where others take all that it chooses.

    The cost is the cross-entropy of the classes, with ``sqrt(class * objectness)`` as their probability, and
    three times ``-log(IoU)`` of the predicted box. No gradient goes through the choice.

    Source: SimOTA (Ge et al. 2021, "YOLOX", section 2.3; github.com/Megvii-BaseDetection/YOLOX,
    ``models/yolo_head.py``, ``get_assignments``). There an object may choose any anchor near an object, at a
    cost that all but forbids those that are not near itself.

    Args:
        spec: its assigner is dynamic.
    """

    def __init__(self, spec: DetectionSpec) -> None:
        self._box_coder = box_coder_of(spec)
        self._rows_per_object = rows_per_object(spec)
        self._num_classes = spec.num_classes

    def __call__(self, F: Any, matched: Any, anchor_rows: Any, column: Mapping[str, Any], truth: Any) -> Any:
        """Return the weights (B, M, 1) of the candidates: the positives keep theirs, others have 0.

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            matched: (B, M, 5 + C) raw predictions at the candidates; M is a multiple of the rows per object.
            anchor_rows: (B, M, 6) rows of the anchor grid at the candidates.
            column: of the targets, as :func:`gluon_yolo.losses.terms.read_columns` returns them.
            truth: (B, M, 4) corners in input pixels.
        """
        matched = F.BlockGrad(matched)
        deltas = F.slice_axis(matched, axis=2, begin=0, end=OBJECTNESS)
        sides = self._box_coder.decode_rows(F, deltas, anchor_rows)
        overlap = F.reshape(iou(F, sides, tuple(F.split(truth, num_outputs=4, axis=2))), (0, -1))
        index, class_ids, weight = (F.reshape(column[name], (0, -1)) for name in ("index", "class", "weight"))
        is_candidate = weight > 0
        cost = _class_cost(F, matched, F.one_hot(class_ids, self._num_classes))
        cost = cost - F.log(overlap + _TINY_IOU) * IOU_COST + (1 - is_candidate) * _FAR

        overlap = self._by_object(F, overlap * is_candidate)
        summed = F.sum(overlap * (_ranks(F, -overlap) <= SUMMED - 1), axis=2)
        count = F.broadcast_maximum(F.floor(summed), F.full((1,), 1.0))
        ranks = _ranks(F, self._by_object(F, cost))
        is_chosen = F.broadcast_sub(F.expand_dims(count, axis=2), ranks) > 0
        is_chosen = F.reshape(is_chosen, (0, -3)) * is_candidate
        is_positive = is_chosen * (1 - _is_outbid(F, index, cost, is_chosen))
        return F.expand_dims(weight * is_positive, axis=2)

    def _by_object(self, F: Any, values: Any) -> Any:
        """Turn values (B, K * P) into (B, K, P)."""
        return F.reshape(values, (0, -4, -1, self._rows_per_object))


def _class_cost(F: Any, matched: Any, one_hot: Any) -> Any:
    """Return the cross-entropy (B, M) of the classes with ``sqrt(class * objectness)`` as probability."""
    objectness = F.slice_axis(matched, axis=2, begin=OBJECTNESS, end=BOX_CHANNELS)
    logits = F.slice_axis(matched, axis=2, begin=BOX_CHANNELS, end=None)
    of_own = F.broadcast_add(softplus(F, -logits), softplus(F, -objectness)) * 0.5
    absent = F.broadcast_maximum(1 - F.exp(-of_own), F.full((1,), _TINY_PROBABILITY))
    return F.sum(of_own * one_hot - F.log(absent) * (1 - one_hot), axis=2)


def _ranks(F: Any, values: Any) -> Any:
    """Return the place 0, 1, ... of each value (B, K, P) among its P in ascending order; equals in order."""
    difference = F.broadcast_sub(F.expand_dims(values, axis=3), F.expand_dims(values, axis=2))
    place = F.contrib.arange_like(values, axis=2)
    is_before = F.broadcast_sub(F.reshape(place, (1, 1, -1, 1)), F.reshape(place, (1, 1, 1, -1))) > 0
    return F.sum((difference > 0) + F.broadcast_mul(difference == 0, is_before), axis=3)


def _is_outbid(F: Any, index: Any, cost: Any, is_chosen: Any) -> Any:
    """Return 1 where a row of lower cost chooses a row's anchor (B, M); of equal ones the first stays."""

    def pairs(values: Any) -> Any:
        return F.broadcast_sub(F.expand_dims(values, axis=2), F.expand_dims(values, axis=1))

    dearer = pairs(cost)
    place = F.contrib.arange_like(index, axis=1)
    is_after = F.broadcast_sub(F.reshape(place, (1, -1, 1)), F.reshape(place, (1, 1, -1))) > 0
    loses = (dearer > 0) + F.broadcast_mul(dearer == 0, is_after)
    return F.max(F.broadcast_mul(loses * (pairs(index) == 0), F.expand_dims(is_chosen, axis=1)), axis=2)
