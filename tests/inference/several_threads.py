"""Calls of one runtime from several threads."""

from __future__ import annotations

import threading

import numpy as np

from tests.random_model import random_image


def images(count: int, height: int, width: int) -> np.ndarray:
    return np.stack([random_image(height, width, seed) for seed in range(count)])


def assert_threads_agree(network, sizes=((64, 64), (96, 64), (64, 64), (96, 128))) -> None:
    """Run images of several sizes from four threads, and compare with one thread."""
    batches = [images(1, *hw) + np.uint8(number) for number, hw in enumerate(sizes)]
    expected = [network(batch) for batch in batches]
    wrong = []

    def work(place):
        for _ in range(5):
            given = network(batches[place])
            wrong.extend(a for a, b in zip(given, expected[place]) if not np.allclose(a, b, atol=1e-4))

    workers = [threading.Thread(target=work, args=(place,)) for place in range(len(batches))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
