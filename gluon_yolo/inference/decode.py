"""Decode in NumPy: raw maps -> boxes and scores, for runtimes of models that end at their raw maps.

The twin of :mod:`gluon_yolo.models.decode`, which is the network's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon_yolo.models.box_coder import box_coder_of
from gluon_yolo.models.head_layout import (
    BOX_CHANNELS,
    DELTAS,
    OBJECTNESS,
    ObjectnessTimesSoftmax,
    head_layout_of,
)
from gluon_yolo.spec import DetectionSpec

_MARGIN = 1e-3  # of a logit, for rounding: an anchor on the threshold is decoded and then compared exactly


class RawMaps(Sequence[np.ndarray]):
    """A runtime's boxes and scores, not decoded yet; as a pair it is what any runtime gives.

    A network has tens of thousands of anchors, of which a threshold leaves a few: who has one asks
    :meth:`above`, and the others' exponentials are never computed.

    Args:
        maps: (B, K, H, W) per level, ascending stride, K as the spec's score rule says.
        spec: of the network.
    """

    def __init__(self, maps: Sequence[np.ndarray], spec: DetectionSpec) -> None:
        self._maps = maps
        self._spec = spec
        self._pair: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        """Return 2: boxes and scores."""
        return 2

    def __getitem__(self, index: Any) -> Any:
        """Return boxes (B, N, 4) for 0 and scores (B, N, C) for 1, of all anchors."""
        if self._pair is None:
            self._pair = decode(self._maps, self._spec)
        return self._pair[index]

    def above(self, score_threshold: float, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Decode one image's anchors, but for some of those that score no class over a threshold.

        Args:
            score_threshold: within 0..1.
            index: of the image in the batch.

        Returns:
            Boxes (M, 4) float32, corners in input pixels, and scores (M, C) float32, in the order of the
            anchors. Scores that are no numbers are there whatever the threshold.
        """
        return _decode_image(self._maps, index, self._spec, _logit(score_threshold) - _MARGIN)


def decode(maps: Sequence[np.ndarray], spec: DetectionSpec) -> tuple[np.ndarray, np.ndarray]:
    """Turn raw maps into what a runtime gives.

    Args:
        maps: (B, K, H, W) per level, ascending stride, K as the spec's score rule says.
        spec: of the network.

    Returns:
        Boxes (B, N, 4) float32, corners in input pixels, and scores (B, N, C) float32.
    """
    images = [_decode_image(maps, index, spec, -math.inf) for index in range(len(maps[0]))]
    boxes, scores = (np.stack(parts) for parts in zip(*images))
    return boxes, scores


def _decode_image(
    maps: Sequence[np.ndarray], index: int, spec: DetectionSpec, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Decode the anchors of one image whose objectness logit is above ``least``, or is no number."""
    levels = [_decode_level(raw[index], spec, level, least) for level, raw in enumerate(maps)]
    boxes, scores = (np.concatenate(parts) for parts in zip(*levels))
    return boxes, scores


def _decode_level(
    raw: np.ndarray, spec: DetectionSpec, level: int, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Decode some anchors of one level's map (K, H, W).

    A score is objectness times something in 0..1 by each score rule, so that objectness alone says which
    anchors cannot reach a threshold.
    """
    _, height, width = raw.shape
    anchors = np.asarray(spec.anchors[level], dtype=np.float32)
    count, cells = len(anchors), height * width
    shared = head_layout_of(spec) is ObjectnessTimesSoftmax
    if shared:
        parts = np.split(raw.reshape(-1, cells), (DELTAS * count, BOX_CHANNELS * count))
        by_anchor, objectness = parts[0].reshape(count, DELTAS, cells), parts[1]
    else:
        by_anchor = raw.reshape(count, BOX_CHANNELS + spec.num_classes, cells)
        objectness = by_anchor[:, OBJECTNESS]
    anchor, cell = np.divmod(np.flatnonzero(~(objectness <= least)), cells)
    rows = by_anchor[anchor, :, cell]
    probabilities = _softmax(parts[2].T[cell]) if shared else _sigmoid(rows[:, BOX_CHANNELS:])
    scores = _sigmoid(objectness[anchor, cell])[:, None] * probabilities
    with np.errstate(over="ignore"):  # an untrained network's exponentials: such a box is nowhere
        boxes = box_coder_of(spec).decode_array(
            rows[:, :DELTAS],
            np.stack([cell % width, cell // width], axis=1).astype(np.float32),
            anchors[anchor],
            np.full(len(cell), spec.strides[level], dtype=np.float32),
            spec.xy_scales[level],
        )
    return boxes.astype(np.float32, copy=False), scores.astype(np.float32, copy=False)


def _logit(probability: float) -> float:
    """Return the inverse of the sigmoid."""
    if probability <= 0 or probability >= 1:
        return math.copysign(math.inf, probability - 0.5)
    return math.log(probability / (1 - probability))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(x / 2))


def _softmax(x: np.ndarray) -> np.ndarray:
    """Return the softmax along axis 1."""
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
