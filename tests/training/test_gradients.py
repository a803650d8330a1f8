"""The gradients of a training graph on the CPU against float64: all parameters of each kind of network.

The weights are drawn so that rounding errors stay small (1e-7 to 1e-6 of a gradient); 1e-4 is a fault. A real
fault changed all gradients together by 0.15 to 0.8. Trained weights, and PyTorch as the judge and the other
engine, are in ``tests/pytorch/test_gradients.py``.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests import own_process
from tests.judged_networks import FAST, NETWORKS, held_to_float64

DRAWN, BATCH = (1e-4, 2e-3), (0.05, 0.5)  # of all gradients together, of any one


def assert_right(name, data, kind, sizes_hw, tolerances) -> None:
    pairs = own_process.call(held_to_float64, name, data, kind, sizes_hw)
    for size_hw, (found, plain) in zip(sizes_hw, pairs):
        apart = (found.whole, found.worst)
        assert np.less(apart, tolerances).all(), f"{name} at {size_hw}: {found}; operators alone {plain}"


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS]
)
def test_gradients_of_drawn_weights(name, shared_data):
    """Two sizes, so that the graph is planned again. An inference call comes before each."""
    assert_right(name, shared_data, "drawn", ((64, 96), (96, 64)), DRAWN)


WITH_WEIGHTS = [name for name, (_, own) in NETWORKS.items() if own]


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_gradients_by_the_batchs_statistics(name, shared_data):
    assert_right(name, shared_data, "batch", ((320, 320),), BATCH)
