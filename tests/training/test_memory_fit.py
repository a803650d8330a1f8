"""What settings of a training need beside the network."""

from __future__ import annotations

import pytest

from gluon_yolo.mxnet_compat import mx
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.memory_fit import _estimate
from tests.random_model import random_detector

SIZE = [(64, 64)]


@pytest.mark.parametrize(
    "settings, devices, times",
    [
        ({"ema": True}, 1, 2),  # the average, and the trained weights while it is validated
        ({"ema": True}, 2, 2),  # the first device has the average
        ({"optimizer": "adamw"}, 1, 1),  # two states in the place of one
        ({"optimizer": "adamw"}, 2, 2),  # on each device
        ({"ema": True, "optimizer": "adamw"}, 1, 3),
    ],
)
def test_averages_and_optimizers_need_as_much_as_the_weights(settings, devices, times):
    net = random_detector()
    weights = 4 * sum(parameter.data().size for parameter in net.collect_params().values())
    contexts = [mx.cpu(index) for index in range(devices)]
    fixed = [
        _estimate(TrainConfig(data="x", **more), net, contexts, ((), ())).at(SIZE).fixed
        for more in ({}, settings)
    ]
    assert fixed[1] - fixed[0] == pytest.approx(times * weights, abs=1)
