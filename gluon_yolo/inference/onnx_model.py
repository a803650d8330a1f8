"""What the runtimes of NAME.onnx, and of what is made of it, share: its outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.inference.decode import RawMaps
from gluon_yolo.spec import DetectionSpec

BROKEN = "is damaged or no ONNX file; export the model again with --format onnx"


def to_boxes(outputs: Mapping[str, np.ndarray], spec: DetectionSpec) -> Sequence[np.ndarray]:
    """Turn a model's outputs, wherever it was cut, into boxes and scores.

    Of a model that ends behind suppression only what that let stand can be given, at most K boxes; each has a
    score for its own class and 0 for the others.

    Args:
        outputs: by their names in the file.
        spec: of the model.

    Returns:
        Boxes (B, N, 4) float32, corners in input pixels, and scores (B, N, C) float32; of raw maps the
        :class:`gluon_yolo.inference.decode.RawMaps` that give them.

    Raises:
        UserError: when these are no model's outputs.
    """
    names = set(outputs)
    if names == {"boxes", "scores"}:
        return outputs["boxes"], outputs["scores"]
    if names == {"ids", "scores", "bboxes"}:
        ids, scores = outputs["ids"], np.maximum(outputs["scores"], 0)
        return outputs["bboxes"], np.where(ids == np.arange(spec.num_classes), scores, np.float32(0))
    raw = [f"raw_{level}" for level in range(spec.num_levels)]
    if names == set(raw):
        return RawMaps([outputs[name] for name in raw], spec)
    raise UserError(
        f"its outputs are {', '.join(sorted(names))}, which are no detector's; export the model again"
    )
