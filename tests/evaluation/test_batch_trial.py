"""check_batch: small batches are run before a large one."""

from __future__ import annotations

import mmap

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.evaluation import batch_trial
from gluon_yolo.evaluation.batch_trial import check_batch
from gluon_yolo.system import memory
from gluon_yolo.system.memory import Memory

MB = 1_000_000


@pytest.fixture
def tried(monkeypatch):
    """Simulate a process of 500 MB that grows by 20 MB and by 10 MB per image; return the calls."""
    state = {"peak": 500 * MB}
    calls: list[tuple[int, ...]] = []

    def run(pixels: np.ndarray) -> None:
        calls.append(pixels.shape)
        state["peak"] = (500 + 20 + 10 * len(pixels)) * MB

    monkeypatch.setattr(memory, "resident", lambda: 500 * MB)
    monkeypatch.setattr(memory, "forget_peak", lambda: True)
    monkeypatch.setattr(memory, "peak", lambda: state["peak"])
    return run, calls


def test_small_batches_are_not_tried(tried):
    run, calls = tried
    check_batch(run, (64, 96), 32, look=lambda: Memory(1, 0, "this machine"))
    assert not calls


def test_a_batch_that_fits_goes_on(tried):
    run, calls = tried
    check_batch(run, (64, 96), 100, look=lambda: Memory(2000 * MB, 0, "this machine"))
    assert calls == [(4, 64, 96, 3), (20, 64, 96, 3)]


def test_one_that_does_not_is_refused_with_one_that_does(tried):
    run, _ = tried
    # (20 + 200) / 16 = 13.75 MB per image, and 2.5 MB beside it, 15 % more each: 18.7 MB
    there = Memory(1000 * MB, 0, "this machine")
    with pytest.raises(UserError) as caught:
        check_batch(run, (64, 96), 100, 2.5 * MB, look=lambda: there)
    assert str(caught.value) == (
        "batch_size 100: would take about 1.9 GB of memory, and there is 1.0 GB on this machine; "
        "give batch_size 53"
    )
    check_batch(run, (64, 96), 53, 2.5 * MB, look=lambda: there)


def test_where_the_system_tells_nothing_it_goes_on(tried, monkeypatch):
    run, _ = tried
    check_batch(run, (64, 96), 9999, look=lambda: None)
    monkeypatch.setattr(memory, "forget_peak", lambda: False)
    check_batch(run, (64, 96), 9999, look=lambda: Memory(1, 0, "this machine"))


def test_this_process_is_measured_as_it_is():
    fresh = mmap.mmap(-1, 40 * MB)  # malloc may return pages that this process has already

    def touch(pixels: np.ndarray) -> None:
        for _ in range(40):
            fresh.write(bytes(MB))  # a buffer of 40 would count too

    taken = batch_trial._taken(touch, np.zeros((1, 8, 8, 3), np.uint8))
    if taken is None:
        pytest.skip("this system does not tell")
    assert 35 * MB < taken < 80 * MB
