"""Calibration: the ranges of arrays."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.exporters.quantize.calibrate import BINS, METHODS, Extremes, Histogram


def seen(collector, *arrays):
    for array in arrays:
        collector.update(np.asarray(array, dtype=np.float32))
    return collector.range()


def test_extremes_are_those_of_all_arrays():
    assert seen(Extremes(), [[1, 2]], [[-3, 0.5]], [[0]]) == (-3, 2)


@pytest.mark.parametrize("least, symmetric", [(-1, True), (0, False)])
def test_entropy_clips_what_hardly_ever_comes(least, symmetric):
    """Values up to about 4, and a single one of 100."""
    numbers = np.random.default_rng(0).normal(size=100_000)
    low, high = seen(Histogram(), np.abs(numbers) if least == 0 else numbers, [100])
    assert 2 < high < 30 and low == (-high if symmetric else 0)


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)], ids=["growing", "shrinking"])
def test_entropy_does_not_depend_on_which_array_comes_first(order):
    """The histogram grows with the values; only its bins become coarser."""
    rng = np.random.default_rng(0)
    arrays = [scale * rng.normal(size=50_000) for scale in (0.01, 0.1, 1)]
    low, high = seen(Histogram(), *arrays[order])
    assert 2 < high < 5 and low == -high


def test_a_histogram_grows_threefold_and_loses_nothing():
    histogram = Histogram()
    seen(histogram, [1, -1, 0], [2.5], [20])
    assert histogram._reach == 27 and histogram._counts.sum() == 5 and len(histogram._counts) == BINS
    assert histogram._counts[BINS // 2] == 1 and histogram._counts[int(21 * BINS / 54)] == 0
    centres = (np.flatnonzero(histogram._counts) + 0.5) * 54 / BINS - 27
    assert np.abs(centres - [-1, 0, 1, 2.5, 20]).max() < 54 / BINS


@pytest.mark.parametrize("method", METHODS)
def test_nothing_but_zeros(method):
    assert seen(METHODS[method](), np.zeros(9)) == (0, 0)


def test_next_to_nothing_is_no_range_for_bins():
    """The width of such bins underflows float32, and the bin of a value would be NaN."""
    low, high = seen(Histogram(), [1e-38, 0.0], np.linspace(-1, 1, 99))
    assert -1 <= low < 0 < high <= 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_numbers_that_are_none_show(method, broken):
    assert not np.isfinite(seen(METHODS[method](), [1], [broken, 2])).all()
