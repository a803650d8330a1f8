"""Calibration: images of a data set, drawn and fitted, on which a network's arrays are measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Callable, Union

import numpy as np

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.progress.bar import counting
from gluon_yolo.system import memory

BINS = 4095  # odd, and so is its third: see Histogram
Ranges = Mapping[str, "tuple[float, float]"]
Progress = Callable[[str, int, "int | None"], None]
_LEVELS = 255  # of int8, in both directions
_NOTHING = 1e-30  # what is no larger is zero: bins as narrow as that overflow float32


class Extremes:
    """The least and the greatest number seen."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._low, self._high = np.inf, -np.inf

    def update(self, array: np.ndarray) -> None:
        """Take an array into account."""
        self._low = float(np.minimum(self._low, array.min()))  # which keeps what is no number
        self._high = float(np.maximum(self._high, array.max()))

    def range(self) -> tuple[float, float]:
        """Return the two numbers."""
        return self._low, self._high

    extremes = range


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

    def update(self, array: np.ndarray) -> None:
        """Take an array into account."""
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
        """Return the least and the greatest number seen."""
        return self._extremes.range()

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
Collector = Union[Extremes, Histogram]


def measure(
    names: Sequence[str],
    arrays_of: Callable[[np.ndarray], Iterable[np.ndarray]],
    batches: Iterable[np.ndarray],
    method: str,
    progress: Progress | None = None,
    range_of: Callable[[Collector], tuple[float, float]] = lambda collector: collector.range(),
) -> Ranges:
    """Run images through a graph and return the range of each of its arrays.

    Images go through one at a time, and nothing of one is kept.

    Args:
        names: of the arrays.
        arrays_of: returns them, in this order, for an image (1, h, w, 3) uint8 RGB.
        batches: of images (B, h, w, 3) uint8 RGB; read once, in order.
        method: a key of ``METHODS``.
        progress: called with ``pictures``, how many are done, None; with ``entropy`` also with ``ranges``,
            how many are found, of how many.
        range_of: the range of what saw one array.

    Raises:
        UserError: an unknown method, no images, or numbers that are not finite.
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
            raise UserError(f"calibration: {name} is not finite: the network's weights are damaged")
        if progress is not None and method == "entropy":
            progress("ranges", number, len(seen))
    return ranges


def drawn(count: int, most: int, seed: int = 0) -> list[int]:
    """Return which of ``count`` images are taken, ``most`` of them or all: at random, in their order.

    The same numbers give the same images, and a smaller ``most`` gives some of a larger one's.
    """
    return sorted(np.random.default_rng(seed).permutation(count)[:most].tolist())


def divided(count: int, most: int, seed: int = 0) -> tuple[list[int], list[int]]:
    """Divide ``count`` images in two without an image in both: to calibrate on, and to score on.

    Args:
        count: at least 2.
        most: to calibrate on; never more than half of all.
        seed: of the drawing.
    """
    calibrated = drawn(count, min(most, count // 2), seed)
    return calibrated, sorted(set(range(count)) - set(calibrated))


def read(dataset: Dataset, indices: Sequence[int], size_hw: tuple[int, int], fit: Preprocess) -> np.ndarray:
    """Read images and bring them to the network's input as evaluation does.

    Args:
        dataset: the images.
        indices: which of them.
        size_hw: height and width of the input in pixels.
        fit: how images are brought to it.

    Returns:
        (B, h, w, 3) uint8 RGB.

    Raises:
        UserError: there is no memory for all of them.
        BadFile: an image cannot be read.
    """
    an_image, there = 3 * math.prod(size_hw), memory.look()
    if there is not None and len(indices) * an_image > there.free:
        raise SettingError(
            f"{{num}} {len(indices)}: pictures of {size_hw[0]}x{size_hw[1]} that would take "
            f"{len(indices) * an_image / memory.GB:.1f} GB of memory, and there is {there}; give {{num}} "
            f"{max(1, there.free // (2 * an_image))}"
        )
    images = np.empty((len(indices), *size_hw, 3), dtype=np.uint8)
    for place, index in enumerate(counting(indices, len(indices), "read pictures", "picture")):
        images[place] = fit(dataset.image(index), size_hw)[0]
    return images
