"""Ranges of activations: from arrays seen one after another to the two numbers that int8 stretches over."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from gluon_yolo.compat import mx

BINS = 4095  # odd, and so is its third: see Histogram
_LEVELS = 255  # of int8, in both directions


class Extremes:
    """The least and the greatest number seen."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._low, self._high = np.inf, -np.inf

    def observe(self, array: np.ndarray) -> None:
        """Take an array into account."""
        self._low = float(np.minimum(self._low, array.min()))  # which keeps what is no number
        self._high = float(np.maximum(self._high, array.max()))

    def range(self) -> tuple[float, float]:
        """Return the two numbers."""
        return self._low, self._high


class Histogram:
    """The range within which a histogram in int8's few levels is most like the whole one, by entropy.

    What lies outside is clipped. The search is mxnet's (``mx.nd.contrib.calibrate_entropy``; Migacz 2017,
    8-bit inference with TensorRT). The histogram has ``BINS`` bins, symmetric about zero, whatever is seen:
    a number out of its reach makes it three times as wide, and joins its bins in threes.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._counts = np.zeros(BINS, dtype=np.int64)
        self._reach = 0.0
        self._extremes = Extremes()

    def observe(self, array: np.ndarray) -> None:
        """Take an array into account."""
        self._extremes.observe(array)
        low, high = self._extremes.range()
        furthest = max(abs(low), abs(high))
        if not (0 < furthest < np.inf):
            return
        if not self._reach:
            self._reach = furthest
        while furthest > self._reach:
            third = BINS // 3
            self._counts = np.pad(self._counts.reshape(third, 3).sum(axis=1), third)
            self._reach *= 3
        places = (array.ravel() * np.float32(BINS / 2 / self._reach) + np.float32(BINS / 2)).astype(np.int64)
        self._counts += np.bincount(np.minimum(places, BINS - 1), minlength=BINS)

    def range(self) -> tuple[float, float]:
        """Return the range: from zero where nothing was below it, else as far below as above."""
        low, high = self._extremes.range()
        if not (self._reach and np.isfinite([low, high]).all()):
            return low, high
        edges = np.linspace(-self._reach, self._reach, BINS + 1, dtype=np.float32)
        threshold, _ = mx.nd.contrib.calibrate_entropy(
            hist=mx.nd.array(self._counts, dtype="float32"),
            hist_edges=mx.nd.array(edges),
            num_quantized_bins=2 * _LEVELS + 1 if low >= 0 else _LEVELS,
        )
        furthest = min(float(threshold.asnumpy().item()), max(-low, high))
        return (0.0 if low >= 0 else -furthest), furthest


METHODS: Mapping[str, type[Extremes] | type[Histogram]] = MappingProxyType(
    {"minmax": Extremes, "entropy": Histogram}
)
