"""Plan: the log line on the epochs of a training."""

from __future__ import annotations

import pytest

from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.plan import plan


@pytest.mark.parametrize(
    "batch_size, batches, images, said",
    [
        (4, 3, 12, "3 batches of 4, all 12 training pictures; "),
        (5, 2, 12, "2 batches of 5, 10 of 12 training pictures; "),
        (1, 1, 1, "1 batch of 1, the 1 training picture; "),
        (64, 1, 1, "1 batch of 64, the 1 training picture 64 times; "),
        (64, 1, 16, "1 batch of 64, each of 16 training pictures 4 times; "),
        (64, 1, 10, "1 batch of 64, each of 10 training pictures 6 or 7 times; "),
    ],
)
def test_an_epoch(batch_size, batches, images, said):
    assert plan(TrainConfig("net", batch_size=batch_size), batches, images, 3).startswith(f"an epoch: {said}")
