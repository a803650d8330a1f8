"""Decode in NumPy: raw maps -> boxes and scores, for runtimes of models that end at their raw maps.

The twin of :mod:`gluon_yolo.nn.decode`, which is the network's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gluon_yolo.nn.coding import coding_of
from gluon_yolo.nn.scores import BOX_CHANNELS, DELTAS, ObjectnessTimesSoftmax, score_rule_of
from gluon_yolo.spec import DetectionSpec


def decode(maps: Sequence[np.ndarray], spec: DetectionSpec) -> tuple[np.ndarray, np.ndarray]:
    """Turn raw maps into what a runtime gives.

    Args:
        maps: (B, K, H, W) per level, ascending stride, K as the spec's score rule says.
        spec: of the network.

    Returns:
        Boxes (B, N, 4) float32, corners in input pixels, and scores (B, N, C) float32.
    """
    levels = [_level(raw, spec, level) for level, raw in enumerate(maps)]
    boxes, scores = (np.concatenate(parts, axis=1) for parts in zip(*levels))
    return boxes, scores


def _level(raw: np.ndarray, spec: DetectionSpec, level: int) -> tuple[np.ndarray, np.ndarray]:
    """Decode one level's map."""
    batch, _, height, width = raw.shape
    anchors = np.asarray(spec.anchors[level], dtype=np.float32)
    count, classes = len(anchors), spec.num_classes
    if score_rule_of(spec) is ObjectnessTimesSoftmax:
        parts = np.split(
            raw.reshape(batch, -1, height * width), (DELTAS * count, BOX_CHANNELS * count), axis=1
        )
        deltas = parts[0].reshape(batch, count, DELTAS, -1)
        probabilities = _softmax(parts[2])[:, None]
        objectness = _sigmoid(parts[1])[:, :, None]
    else:
        by_anchor = raw.reshape(batch, count, BOX_CHANNELS + classes, -1)
        deltas = by_anchor[:, :, :DELTAS]
        objectness = _sigmoid(by_anchor[:, :, DELTAS:BOX_CHANNELS])
        probabilities = _sigmoid(by_anchor[:, :, BOX_CHANNELS:])
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2)
    rows = len(places) * count
    boxes = coding_of(spec).decode_array(
        np.ascontiguousarray(deltas.transpose(0, 1, 3, 2)).reshape(-1, DELTAS),
        np.tile(places.astype(np.float32), (batch * count, 1)),
        np.tile(anchors.repeat(len(places), axis=0), (batch, 1)),
        np.full(batch * rows, spec.strides[level], dtype=np.float32),
        spec.xy_scales[level],
    )
    scores = (objectness * probabilities).transpose(0, 1, 3, 2).reshape(batch, rows, classes)
    return boxes.reshape(batch, rows, 4).astype(np.float32), np.ascontiguousarray(scores, dtype=np.float32)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(x / 2))


def _softmax(x: np.ndarray) -> np.ndarray:
    """Return the softmax along axis 1."""
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
