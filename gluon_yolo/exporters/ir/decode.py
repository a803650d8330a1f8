"""Decoding as steps of a graph: raw maps to boxes and scores, as models/decode.py does in mxnet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

import numpy as np

from gluon_yolo.exporters.ir.graph import Builder, InferenceGraph
from gluon_yolo.models.head_layout import BOX_CHANNELS, DELTAS, OBJECTNESS
from gluon_yolo.spec import DetectionSpec

BOXES, SCORES = "boxes", "scores"


def with_decoding(
    graph: InferenceGraph, spec: DetectionSpec, size_hw: tuple[int, int] | None = None
) -> InferenceGraph:
    """Return a graph with ``boxes`` (B, N, 4), corners in input pixels, and ``scores`` (B, N, C) as outputs.

    The order of the N anchors is by level, anchor, row, column.

    Args:
        graph: with the raw maps as outputs, by ascending stride.
        spec: of the network.
        size_hw: height and width of a fixed input in pixels, for which the grids are constants; None computes
            the grids from the maps' sizes.

    Raises:
        ValueError: the box coding or the score rule is unknown.
    """
    for name, table in ((spec.box_coding, _RATIOS), (spec.score_rule, _PARTS)):
        if name not in table:
            raise ValueError(f"expected one of {', '.join(table)}, got {name!r}")
    build = Builder("decode_")
    boxes, scores = [], []
    for level, raw in enumerate(graph.outputs.values()):
        boxes_of_level, scores_of_level = _level(build, raw, spec, level, size_hw)
        boxes.append(boxes_of_level)
        scores.append(scores_of_level)
    outputs = {
        BOXES: build.add("concat", *boxes, name="decoded_boxes", axis=1),
        SCORES: build.add("concat", *scores, name="decoded_scores", axis=1),
    }
    return graph.extended(build.nodes, build.weights, outputs)


def _level(
    build: Builder, raw: str, spec: DetectionSpec, level: int, size_hw: tuple[int, int] | None
) -> tuple[str, str]:
    """Add one level's steps; return its boxes (B, A * H * W, 4) and scores (B, A * H * W, C)."""
    stride, reach = spec.strides[level], spec.xy_scales[level]
    deltas, scores = _PARTS[spec.score_rule](build, raw, len(spec.anchors[level]), spec.num_classes)
    place = build.add("sigmoid", _along(build, deltas, 0, 2))
    place = _scaled(build, place, reach * stride)
    shift = -(reach - 1) / 2 * stride
    if size_hw is None:
        centre = build.add("add", place, _scaled(build, build.add("cells", raw), stride, shift))
    else:
        corners = _cells(size_hw[0] // stride, size_hw[1] // stride) * stride + shift
        # One copy per anchor: OpenCV before 4.7 cannot add (1, 1, 2, H * W) and (B, A, 2, H * W).
        corners = corners.repeat(len(spec.anchors[level]), axis=1)
        centre = build.add("add", place, name=f"decode_centre{level}", weights=(corners,))
    ratio, factor = _RATIOS[spec.box_coding](build, _along(build, deltas, 2, DELTAS))
    halves = np.asarray(spec.anchors[level]).reshape(1, -1, 2, 1) / 2 * factor
    half = build.add("multiply", ratio, name=f"decode_half{level}", weights=(halves,))
    sides = build.add("concat", build.add("subtract", centre, half), build.add("add", centre, half), axis=2)
    return _rows(build, sides, DELTAS), _rows(build, scores, spec.num_classes)


def _own_classes(build: Builder, raw: str, anchors: int, classes: int) -> tuple[str, str]:
    """Return deltas (B, A, 4, H * W) and scores (B, A, C, H * W) of ``ObjectnessTimesClass``."""
    parts = build.add("reshape", raw, shape=(0, anchors, BOX_CHANNELS + classes, -1))
    logits = _along(build, parts, OBJECTNESS, BOX_CHANNELS + classes)
    probabilities = build.add("sigmoid", logits)
    objectness = _along(build, probabilities, 0, 1)
    scores = build.add("multiply", _along(build, probabilities, 1, 1 + classes), objectness)
    return _along(build, parts, 0, DELTAS), scores


def _shared_classes(build: Builder, raw: str, anchors: int, classes: int) -> tuple[str, str]:
    """Return deltas (B, A, 4, H * W) and scores (B, A, C, H * W) of ``ObjectnessTimesSoftmax``."""
    ends = (0, DELTAS * anchors, BOX_CHANNELS * anchors, BOX_CHANNELS * anchors + classes)
    deltas, objectness, logits = (
        build.add("slice", raw, axis=1, begin=begin, end=end, step=1) for begin, end in zip(ends, ends[1:])
    )
    objectness = build.add("reshape", build.add("sigmoid", objectness), shape=(0, anchors, 1, -1))
    shared = build.add("softmax", build.add("reshape", logits, shape=(0, 1, classes, -1)), axis=2)
    # One copy per anchor: OpenCV before 4.7 can broadcast only one of two factors.
    scores = build.add("multiply", build.add("concat", *[shared] * anchors, axis=1), objectness)
    return build.add("reshape", deltas, shape=(0, anchors, DELTAS, -1)), scores


def _exponential(build: Builder, deltas: str) -> tuple[str, float]:
    """Return the size ratios of tw, th up to a constant factor, and that factor."""
    return build.add("exp", deltas), 1.0


def _squared_sigmoid(build: Builder, deltas: str) -> tuple[str, float]:
    """Return the size ratios of tw, th up to a constant factor, and that factor."""
    sigmoid = build.add("sigmoid", deltas)
    return build.add("multiply", sigmoid, sigmoid), 4.0


_PARTS: Mapping[str, Callable[[Builder, str, int, int], tuple[str, str]]] = {
    "objectness_times_class": _own_classes,
    "objectness_times_softmax": _shared_classes,
}
_RATIOS: Mapping[str, Callable[[Builder, str], tuple[str, float]]] = {
    "yolo3": _exponential,
    "squared_sigmoid": _squared_sigmoid,
}


def _cells(rows: int, columns: int) -> np.ndarray:
    """Return column and row of each cell, (1, 1, 2, H * W), row by row."""
    row, column = np.mgrid[:rows, :columns]
    return np.stack([column.ravel(), row.ravel()])[None, None].astype(np.float64)


def _along(build: Builder, array: str, begin: int, end: int) -> str:
    """Slice the channels of each anchor in (B, A, K, H * W)."""
    return build.add("slice", array, axis=2, begin=begin, end=end, step=1)


def _scaled(build: Builder, array: str, scale: float, shift: float = 0) -> str:
    return build.add("affine", array, weights=(np.array([scale]), np.array([shift])))


def _rows(build: Builder, array: str, width: int) -> str:
    """Turn (B, A, K, H * W) into one row per anchor, (B, A * H * W, K)."""
    return build.add("reshape", build.add("transpose", array, axes=(0, 1, 3, 2)), shape=(0, -1, width))
