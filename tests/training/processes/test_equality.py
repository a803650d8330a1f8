"""Several processes train the network that one trains: losses, weights and statistics."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="several processes are torch's engine")

from gluon_yolo.training.processes.launch import Launch, launch  # noqa: E402
from tests.training.processes.functions import cases, train_cases  # noqa: E402


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    """Return what one process has after some steps, by case."""
    return train_cases()


@pytest.mark.parametrize("world", [2, 4])
def test_many_processes_equal_one(alone: dict[str, Any], world: int) -> None:
    """In float64 to 1e-12, with SyncBN and with frozen norms; in float32 as far as rounding is amplified."""
    many = launch(Launch(world, silence_s=60), train_cases)
    assert many.keys() == alone.keys()
    for name, (losses, state) in many.items():
        expected_losses, expected = alone[name]
        tolerance = cases()[name].tolerance
        np.testing.assert_allclose(losses, expected_losses, rtol=tolerance, err_msg=name)
        for parameter, array in state.items():
            scale = max(1e-30, float(np.abs(expected[parameter]).max()))
            np.testing.assert_allclose(
                array / scale,
                expected[parameter] / scale,
                rtol=0,
                atol=tolerance,
                err_msg=f"{name}: {parameter}",
            )
