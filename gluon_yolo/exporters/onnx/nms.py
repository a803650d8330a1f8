"""NMS in ONNX operators: boxes and scores to final detections, the same as ``Detect``."""

from __future__ import annotations

from typing import Any

from gluon_yolo.exporters.onnx.ops import OnnxBuilder, helper, onnx
from gluon_yolo.exporters.request import NMSOptions


def add_nms(
    build: OnnxBuilder, boxes: str, scores: str, numbers: NMSOptions, batch: int | str
) -> dict[str, tuple[Any, ...]]:
    """Append ``ids`` (B, K, 1), ``scores`` (B, K, 1) and ``bboxes`` (B, K, 4) in input pixels.

    The best anchors are selected first, then the best pairs of these anchors and classes.
    ``NonMaxSuppression`` returns the indices of the pairs that it keeps; their scores are scattered into a
    table, whose best entries are the result.

    Args:
        build: to which the nodes are added.
        boxes: name of (B, N, 4).
        scores: name of (B, N, C).
        numbers: the thresholds.
        batch: B, or its name.

    Returns:
        The shapes of the outputs by name.
    """
    add = _Namer(build)
    candidates, rows = numbers.max_candidates, min(numbers.max_detections, numbers.max_candidates)
    overlap = numbers.nms_threshold if 0 < numbers.nms_threshold < 1 else 1
    anchors, is_real = _best_anchors(add, scores, candidates)
    boxes = add("GatherND", boxes, anchors, batch_dims=1)
    by_anchor = add("Mul", add("GatherND", scores, anchors, batch_dims=1), is_real)
    pairs = _best_pairs(add, add("Transpose", by_anchor, perm=(0, 2, 1)), candidates)
    kept = add(
        "NonMaxSuppression",
        boxes,
        pairs,
        build.integers(candidates),
        build.float(overlap),
        build.float(numbers.score_threshold),
    )
    blank = helper.make_tensor("blank", onnx.TensorProto.FLOAT, [1], [-1])
    table = add("ConstantOfShape", add("Shape", pairs), value=blank)
    table = add("ScatterND", table, kept, add("GatherND", pairs, kept))
    best, index = add.top(add("Reshape", table, build.integers(0, -1)), rows)
    class_id = add("Div", index, build.integer(candidates))
    place = add("Sub", index, add("Mul", class_id, build.integer(candidates)))
    last = build.integers(2)
    there = add("Unsqueeze", add("Greater", best, build.float(0)), last)
    ids = add("Cast", add("Unsqueeze", class_id, last), to=onnx.TensorProto.FLOAT)
    boxes = add("GatherND", boxes, add("Unsqueeze", place, last), batch_dims=1)
    for name, array in (("ids", ids), ("scores", add("Unsqueeze", best, last)), ("bboxes", boxes)):
        build.add("Where", [there, array, build.float(-1)], name)
    return {"ids": (batch, rows, 1), "scores": (batch, rows, 1), "bboxes": (batch, rows, 4)}


class _Namer:
    """Add nodes with numbered names.

    Args:
        build: to which the nodes are added.
    """

    def __init__(self, build: OnnxBuilder) -> None:
        self.build = build
        self._count = 0

    def name(self) -> str:
        """Return an unused name."""
        self._count += 1
        return f"suppress_{self._count}"

    def __call__(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output and return its name."""
        return self.build.add(op, inputs, self.name(), **attributes)

    def top(self, rows: str, count: int) -> tuple[str, str]:
        """Add TopK; return the names of the largest values in each row (B, R) and of their indices."""
        values, places = self.name(), self.name()
        inputs = [rows, self.build.integers(count)]
        self.build.nodes.append(helper.make_node("TopK", inputs, [values, places], name=values, axis=1))
        return values, places


def _best_anchors(add: _Namer, scores: str, count: int) -> tuple[str, str]:
    """Return the indices of the best anchors (B, count, 1), and 0 where there are too few (B, count, 1).

    ``TopK`` fails on a row shorter than ``count``, and a small image has few anchors. So rows are padded in
    front.
    """
    build = add.build
    best = add("ReduceMax", scores, axes=[2], keepdims=0)
    best = add("Pad", best, build.integers(0, count, 0, 0), build.float(-1))
    _, places = add.top(best, count)
    places = add("Unsqueeze", add("Sub", places, build.integer(count)), build.integers(2))
    is_real = add("Cast", add("Less", build.integer(-1), places), to=onnx.TensorProto.FLOAT)
    return add("Max", places, build.integer(0)), is_real


def _best_pairs(add: _Namer, pairs: str, count: int) -> str:
    """Return a table of pairs (B, C, R) in which all but the ``count`` best are 0."""
    values, _ = add.top(add("Reshape", pairs, add.build.integers(0, -1)), count)
    ends = (add.build.integers(end) for end in (count - 1, count, 1))
    worst = add("Unsqueeze", add("Slice", values, *ends), add.build.integers(2))
    return add("Where", add("Less", pairs, worst), add.build.float(0), pairs)
