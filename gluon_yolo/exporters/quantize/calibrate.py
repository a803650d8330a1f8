"""Int8 calibration: selects and reads images, and measures the ranges of a network's arrays on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Callable, Union

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.exporters.damaged_weights import DamagedWeights
from gluon_yolo.mxnet_compat import mx

BINS = 4095  # odd, as is a third of it: see Histogram
Ranges = Mapping[str, "tuple[float, float]"]
Progress = Callable[[str, int, "int | None"], None]
_LEVELS = 255  # of int8, negative and positive
_NOTHING = 1e-30  # a smaller value counts as zero: the width of its bins underflows float32


class Extremes:
    """The minimum and maximum of all values."""

    def __init__(self) -> None:
        self._low, self._high = np.inf, -np.inf

    def update(self, array: np.ndarray) -> None:
        """Add the values of an array."""
        self._low = float(np.minimum(self._low, array.min()))  # np.minimum keeps NaN
        self._high = float(np.maximum(self._high, array.max()))

    def range(self) -> tuple[float, float]:
        """Return minimum and maximum."""
        return self._low, self._high

    extremes = range


class Histogram:
    """The range whose int8 histogram is closest to the full histogram by KL divergence.

    Values outside are clipped. The search is mxnet's (``mx.nd.contrib.calibrate_entropy``; Migacz 2017, 8-bit
    Inference with TensorRT). The histogram always has ``BINS`` bins, symmetric about zero: a value outside
    makes it three times as wide, and merges its bins in threes.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(BINS, dtype=np.int64)
        self._reach = 0.0
        self._extremes = Extremes()

    def update(self, array: np.ndarray) -> None:
        """Add the values of an array."""
        self._extremes.update(array)
        low, high = self._extremes.range()
        furthest = max(abs(low), abs(high))
        if not (_NOTHING < furthest < np.inf):
            return
        if not self._reach:
            self._reach = furthest
        while furthest > self._reach:
            third = BINS // 3
            self._counts = np.pad(self._counts.reshape(third, 3).sum(axis=1), third)
            self._reach *= 3
        places = (array.ravel() * np.float32(BINS / 2 / self._reach) + np.float32(BINS / 2)).astype(np.int64)
        self._counts += np.bincount(np.minimum(places, BINS - 1), minlength=BINS)

    def extremes(self) -> tuple[float, float]:
        """Return minimum and maximum of all values."""
        return self._extremes.range()

    def range(self) -> tuple[float, float]:
        """Return the range: from zero where no value is negative, else symmetric."""
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
Collector = Union[Extremes, Histogram]


def seen_within(collector: Collector) -> tuple[float, float]:
    """Return the range within minimum and maximum: with a zero point symmetry is not needed."""
    (least, greatest), (low, high) = collector.extremes(), collector.range()
    return max(least, low), min(greatest, high)


def calibrate_ranges(
    names: Sequence[str],
    arrays_of: Callable[[np.ndarray], Iterable[np.ndarray]],
    batches: Iterable[np.ndarray],
    method: str,
    progress: Progress | None = None,
    range_of: Callable[[Collector], tuple[float, float]] = lambda collector: collector.range(),
) -> Ranges:
    """Run images through a graph and return the range of each array.

    Images run one by one, and their arrays are not kept.

    Args:
        names: of the arrays.
        arrays_of: function that returns the arrays, in this order, for an image (1, h, w, 3) uint8 RGB.
        batches: of images (B, h, w, 3) uint8 RGB; read once, in order.
        method: a key of ``METHODS``.
        progress: function that is called with ``pictures``, the number done, None; with ``entropy`` also with
            ``ranges``, the number done, and the total.
        range_of: function from the collector of an array to its range.

    Returns:
        Minimum and maximum by the array's name.

    Raises:
        UserError: the method is unknown, there are no images, or values are not finite.
    """
    if method not in METHODS:
        raise UserError(f"method {method!r}: expected one of {', '.join(METHODS)}")
    seen: dict[str, Collector] = {name: METHODS[method]() for name in names}
    done = 0
    for batch in batches:
        for image in batch:
            for collector, array in zip(seen.values(), arrays_of(image[None])):
                collector.update(array)
            done += 1
            if progress is not None:
                progress("pictures", done, None)
    if not done:
        raise UserError("calibration: no pictures; give some of the kind that the network is to see")
    ranges = {}
    for number, (name, collector) in enumerate(seen.items(), start=1):
        ranges[name] = range_of(collector)
        if not np.isfinite(ranges[name]).all():
            raise DamagedWeights("calibration", f"{name} is not finite: the network's weights are damaged")
        if progress is not None and method == "entropy":
            progress("ranges", number, len(seen))
    return ranges
