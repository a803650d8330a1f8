"""Decoding blocks: raw maps to boxes and scores, and to final detections, as graphs that can be exported."""

from __future__ import annotations

from typing import Any

from gluon_yolo.models.box_coder import ANCHOR_GRID_COLUMNS, box_coder_of
from gluon_yolo.models.head_layout import head_layout_of
from gluon_yolo.mxnet_compat import gluon, mx
from gluon_yolo.nms import LEAST_SCORE, NMS_THRESHOLD, USUAL_DETECTIONS, candidates_for
from gluon_yolo.spec import DetectionSpec


class LevelDecoder(gluon.HybridBlock):
    """Decode the raw map of one level.

    Args:
        spec: of the whole detector.
        level: index of the level, by ascending stride.
    """

    def __init__(self, spec: DetectionSpec, level: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.box_coder = box_coder_of(spec)
        self.rule = head_layout_of(spec)
        self.stride = spec.strides[level]
        self.xy_scale = spec.xy_scales[level]
        self.num_anchors = len(spec.anchors[level])
        with self.name_scope():
            anchors = mx.nd.array(spec.anchors[level]).reshape((1, -1, 2, 1, 1))
            self.anchors = self.params.get_constant("anchors", anchors)

    def hybrid_forward(self, F: Any, raw: Any, anchors: Any) -> Any:
        """Split a raw map (B, K, H, W) and decode its boxes.

        Returns:
            Corners x1, y1, x2, y2, each (B, A * H * W) in input pixels; objectness logits (B, A * H * W);
            class logits as :meth:`gluon_yolo.models.head_layout.HeadLayout.split` returns them.
        """
        deltas, objectness, classes = self.rule.split(F, raw, self.num_anchors)
        sides = self.box_coder.decode(F, deltas, anchors, self.stride, self.xy_scale)
        return (*(F.reshape(side, (0, -1)) for side in sides), objectness, classes)


def level_decoders(spec: DetectionSpec) -> gluon.nn.HybridSequential:
    """Return one :class:`LevelDecoder` per level, by ascending stride."""
    decoders = gluon.nn.HybridSequential(prefix="")
    decoders.add(*(LevelDecoder(spec, level) for level in range(spec.num_levels)))
    return decoders


class LevelAnchorGrid(gluon.HybridBlock):
    """The anchor grid of one level, for :meth:`gluon_yolo.models.box_coder.BoxCoder.decode_rows`.

    Args:
        spec: of the whole detector.
        level: index of the level, by ascending stride.
    """

    def __init__(self, spec: DetectionSpec, level: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stride = spec.strides[level]
        self.xy_scale = spec.xy_scales[level]
        with self.name_scope():
            halves = mx.nd.array(spec.anchors[level]).reshape((-1, 2, 1, 1)) / 2
            self.halves = self.params.get_constant("halves", halves)

    def hybrid_forward(self, F: Any, raw: Any, halves: Any) -> Any:
        """Return the anchor grid (A * H * W, 6) of a raw map (B, K, H, W); only the map's size is used."""
        cell = F.zeros_like(F.slice_axis(F.slice_axis(F.BlockGrad(raw), axis=0, begin=0, end=1), 1, 0, 1))
        cells = F.broadcast_add(F.slice_axis(halves, axis=1, begin=0, end=1) * 0, cell)  # (A, 1, H, W)
        column = F.reshape(F.contrib.arange_like(cell, axis=3), (1, 1, 1, -1))
        row = F.reshape(F.contrib.arange_like(cell, axis=2), (1, 1, -1, 1))
        parts = (
            F.broadcast_add(cells, column),
            F.broadcast_add(cells, row),
            cells + self.stride,
            cells + self.xy_scale,
            F.broadcast_add(halves, cell),
        )
        planes = F.reshape(F.concat(*parts, dim=1), (0, 0, -1))
        return F.reshape(F.transpose(planes, axes=(0, 2, 1)), (-1, ANCHOR_GRID_COLUMNS))


class AnchorGrid(gluon.HybridBlock):
    """The anchor grid of all levels, in the order of the flat index.

    Args:
        spec: anchors, strides and the range of centres.
    """

    def __init__(self, spec: DetectionSpec, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.levels = gluon.nn.HybridSequential(prefix="")
        self.levels.add(*(LevelAnchorGrid(spec, level) for level in range(spec.num_levels)))

    def hybrid_forward(self, F: Any, *maps: Any) -> Any:
        """Turn raw maps into (N, 6), columns as at ``gluon_yolo.models.box_coder.ANCHOR_GRID_COLUMNS``."""
        return F.concat(*(level(raw) for level, raw in zip(self.levels, maps)), dim=0)


class Decode(gluon.HybridBlock):
    """Decode raw maps into a box and class scores per anchor.

    Args:
        spec: anchors, strides, box coding, score rule.
    """

    def __init__(self, spec: DetectionSpec, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rule = head_layout_of(spec)
        self.decoders = level_decoders(spec)

    def hybrid_forward(self, F: Any, *maps: Any) -> Any:
        """Turn raw maps into boxes (B, N, 4), corners in input pixels, and scores (B, N, C) in 0..1."""
        boxes, scores = [], []
        for decoder, raw in zip(self.decoders, maps):
            *corners, objectness, classes = decoder(raw)
            boxes.append(F.stack(*corners, axis=2))
            scores.append(self.rule.scores(F, objectness, classes, decoder.num_anchors))
        return F.concat(*boxes, dim=1, name="boxes"), F.concat(*scores, dim=1, name="scores")


class Detect(gluon.HybridBlock):
    """Decode and NMS: raw maps to final detections, in GluonCV's format.

    NMS does not get all N * C pairs of anchor and class. The best anchors are selected first, then the best
    pairs among them; these are the best pairs of all.

    Args:
        spec: as for :class:`Decode`.
        nms_threshold: IoU above which NMS removes the box with the lower score of the same class; outside
            0..1 nothing is removed.
        score_threshold: pairs with this score or a lower one are left out; 0 or more.
        max_candidates: pairs that enter NMS; None takes :func:`gluon_yolo.nms.candidates_for` the detections.
        max_detections: rows per image; at most ``max_candidates``.
    """

    def __init__(
        self,
        spec: DetectionSpec,
        nms_threshold: float = NMS_THRESHOLD,
        score_threshold: float = LEAST_SCORE,
        max_candidates: int | None = None,
        max_detections: int = USUAL_DETECTIONS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.decode = Decode(spec)
        self.num_classes = spec.num_classes
        self.nms_threshold = nms_threshold if 0 < nms_threshold < 1 else 1
        self.score_threshold = score_threshold
        self.max_candidates = candidates_for(max_detections) if max_candidates is None else max_candidates
        self.max_detections = min(max_detections, self.max_candidates)

    def hybrid_forward(self, F: Any, *maps: Any) -> Any:
        """Return ids (B, K, 1), scores (B, K, 1), bboxes (B, K, 4) in input pixels; unused rows are -1."""
        boxes, scores = self.decode(*maps)
        anchors, is_real = self._best_anchors(F, scores)
        boxes = _take_rows(F, boxes, anchors)
        scores = F.broadcast_mul(_take_rows(F, scores, anchors), F.expand_dims(is_real, axis=2))
        scores = F.reshape(scores, (0, -1))
        pairs = F.topk(scores, k=self.max_candidates, axis=1)
        scores = _take_rows(F, F.expand_dims(scores, axis=2), pairs)
        anchor = F.floor((pairs + 0.5) / self.num_classes)
        ids = F.expand_dims(pairs - anchor * self.num_classes, axis=2)
        rows = F.concat(ids, scores, _take_rows(F, boxes, anchor), dim=2)
        kept = F.contrib.box_nms(
            rows,
            overlap_thresh=self.nms_threshold,
            valid_thresh=self.score_threshold,
            topk=self.max_candidates,
            id_index=0,
            score_index=1,
            coord_start=2,
        )
        kept = F.slice_axis(kept, axis=1, begin=0, end=self.max_detections)
        return tuple(
            F.slice_axis(kept, axis=2, begin=begin, end=end) for begin, end in ((0, 1), (1, 2), (2, 6))
        )

    def _best_anchors(self, F: Any, scores: Any) -> Any:
        """Return the anchors with the best scores (B, max_candidates), and 0 where there are too few.

        ``topk`` fails on a row shorter than ``k``, and a small image has few anchors. So rows are padded in
        front.
        """
        best = F.max(scores, axis=2)
        blank = F.zeros_like(F.slice_axis(best, axis=1, begin=0, end=1)) - 1
        blanks = F.broadcast_axis(blank, axis=1, size=self.max_candidates)
        index = F.topk(F.concat(blanks, best, dim=1), k=self.max_candidates, axis=1) - self.max_candidates
        return F.relu(index), index >= 0


def _take_rows(F: Any, table: Any, index: Any) -> Any:
    """Gather rows (B, K, D) of a table (B, N, D) by row numbers (B, K)."""
    image = F.broadcast_like(F.reshape(F.contrib.arange_like(index, axis=0), (-1, 1)), index)
    return F.gather_nd(table, F.stack(image, index, axis=0))
