"""Decoding in NumPy: raw maps to boxes and scores, for models whose graph ends at the raw maps.

:mod:`gluon_yolo.models.decode` has the same in mxnet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon_yolo.models.box_coder import box_coder_of, sigmoid
from gluon_yolo.models.head_layout import (
    BOX_CHANNELS,
    DELTAS,
    OBJECTNESS,
    ObjectnessTimesSoftmax,
    head_layout_of,
)
from gluon_yolo.spec import DetectionSpec

_MARGIN = 1e-3  # in logits, for rounding: an anchor at the threshold is decoded and then compared exactly


class RawMaps(Sequence[np.ndarray]):
    """A runtime's boxes and scores, decoded on access. A sequence (boxes, scores), as from any runtime.

    A network has tens of thousands of anchors, of which few have a score above a threshold. :meth:`above`
    decodes only those.

    Args:
        maps: (B, K, H, W) per level, by ascending stride; the score rule of the spec defines K.
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

    def shapes(self) -> list[tuple[int, ...]]:
        """Return the shapes of the maps."""
        return [each.shape for each in self._maps]

    def fit(self, images: int) -> bool:
        """Return whether the maps are those of the spec, for so many images."""
        channels, classes = head_layout_of(self._spec).channels, self._spec.num_classes
        wanted = [(images, channels(len(anchors), classes)) for anchors in self._spec.anchors]
        return all(len(shape) == 4 for shape in self.shapes()) and [s[:2] for s in self.shapes()] == wanted

    def above(self, score_threshold: float, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Decode the anchors of one image that can have a score above a threshold, and few others.

        Args:
            score_threshold: within 0..1.
            index: of the image in the batch.

        Returns:
            Boxes (M, 4) float32, corners in input pixels, and scores (M, C) float32, in the order of the
            anchors. NaN scores are always included.
        """
        return _decode_image(self._maps, index, self._spec, _logit(score_threshold) - _MARGIN)


def decode(maps: Sequence[np.ndarray], spec: DetectionSpec) -> tuple[np.ndarray, np.ndarray]:
    """Decode all anchors of raw maps.

    Args:
        maps: (B, K, H, W) per level, by ascending stride; the score rule of the spec defines K.
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
    """Decode the anchors of one image whose objectness logit is above ``least`` or NaN."""
    levels = [_decode_level(raw[index], spec, level, least) for level, raw in enumerate(maps)]
    boxes, scores = (np.concatenate(parts) for parts in zip(*levels))
    return boxes, scores


def _decode_level(
    raw: np.ndarray, spec: DetectionSpec, level: int, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Decode the anchors of one level's map (K, H, W) whose objectness logit is above ``least`` or NaN.

    In each score rule a score is objectness times a value in 0..1. So objectness alone tells which anchors
    cannot reach a threshold.
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
    probabilities = _softmax(parts[2].T[cell]) if shared else sigmoid(rows[:, BOX_CHANNELS:])
    scores = sigmoid(objectness[anchor, cell])[:, None] * probabilities
    with np.errstate(over="ignore"):  # exponentials of an untrained network overflow
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


def _softmax(x: np.ndarray) -> np.ndarray:
    """Return the softmax along axis 1."""
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
