"""Several processes train the network that one trains: losses, weights and statistics."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytest.importorskip("torch", reason="several processes are torch's engine")

from gluon_yolo.training.processes.launch import Launch, launch  # noqa: E402
from tests.training.processes.functions import Result, average_of_processes, train_cases  # noqa: E402

FLOAT64 = ("SyncBN in float64", "frozen norms and layers in float64")


@pytest.fixture(scope="module")
def alone() -> dict[str, Result]:
    """Return what one process has after some steps, by case."""
    return train_cases()[0]


def distances(found: Result, expected: Result) -> dict[str, float]:
    """Return the largest difference of the losses and of each array, relative to its largest number."""
    pairs = {"losses": (found[0], expected[0])}
    pairs.update({name: (array, expected[1][name]) for name, array in found[1].items()})
    return {name: float(np.abs(a - b).max() / max(1e-30, np.abs(b).max())) for name, (a, b) in pairs.items()}


@pytest.mark.parametrize("world", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_many_processes_equal_one(alone: dict[str, Result], world: int) -> None:
    """In float64 to 1e-12; in float32 they are as near to float64 as one process is.

    A loss that is not finite is an error in all processes, with the images of the one that has it.
    """
    many, error = launch(Launch(world, silence_s=60), train_cases)
    names = ", ".join(f"0-{place}.jpg" for place in range(8 - 8 // world, 8))
    assert re.fullmatch(rf"the loss is not finite \(.*nan.*\) on the batch of: {names}", error), error
    assert many.keys() == alone.keys()
    for name in FLOAT64:
        far = {
            what: distance
            for what, distance in distances(many[name], alone[name]).items()
            if distance > 1e-12
        }
        assert not far, name
    exact = alone["SyncBN in float64"]
    own, theirs = (distances(each["SyncBN in float32"], exact) for each in (alone, many))
    assert max(theirs.values()) < 5 * max(own.values())
    assert np.median(list(theirs.values())) < 2 * np.median(list(own.values()))


@pytest.mark.slow
def test_all_processes_validate_the_average_of_the_first_one() -> None:
    """Of weights all have the same one; that of running statistics, which differ, is the first process's."""
    found = launch(Launch(2, silence_s=60), average_of_processes)
    differed = {name for name in found if name.endswith("*")}
    assert differed and all(name.endswith((".running_mean*", ".running_var*")) for name in differed)
    for name, each in found.items():
        assert len(each) == 2
        np.testing.assert_array_equal(each[0], each[1], err_msg=name)
