"""The moving average of weights: its formula by both engines, and the network that has it for a while."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gluon_yolo import parameter_io
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.training.freeze import freeze
from gluon_yolo.training.mxnet_engine.step import TrainStep
from gluon_yolo.training.weight_average import Decay
from gluon_yolo.weights.load import structural_parameters
from tests.random_model import random_detector
from tests.training.mxnet_engine.test_step import make_batch, make_step, values

RATE = 1e-3
DECAY = Decay(0.9, 4)
STATISTICS = (".running_mean", ".running_var")


@pytest.mark.parametrize(
    "decay, updates, share",
    [
        (Decay(0.5, 0), 1, 0.5),
        (Decay(0.999, 300), 300, 0.999 * (1 - 1 / math.e)),  # two thirds, less 0.4 percent of it
        (Decay(0.9999, 2000), 1, 0.9999 * 0.0004998750208),  # the first one keeps nearly nothing
        (Decay(0.9999, 2000), 10**6, 0.9999),
        (Decay(0.0, 10), 7, 0.0),
    ],
)
def test_the_share_that_an_update_keeps(decay, updates, share):
    assert decay.after(updates) == pytest.approx(share, rel=1e-9)


def by_mxnet(net: DetectionNetwork, **options: Any) -> Any:
    return TrainStep(net, [mx.cpu()], **options)


def by_torch(net: DetectionNetwork, **options: Any) -> Any:
    pytest.importorskip("torch", reason="the second engine needs PyTorch")
    from gluon_yolo.training.torch_engine.step import TorchStep

    return TorchStep(net, **options)


ENGINES = pytest.mark.parametrize("engine", [by_mxnet, by_torch], ids=["mxnet", "torch"])


def weights(step: Any) -> dict[str, np.ndarray]:
    step.to_net()
    return {name: parameter_io.array(each) for name, each in structural_parameters(step.net).items()}


@ENGINES
def test_it_is_the_sum_that_the_formula_gives(engine):
    """Of trained parameters, large and small, and of running statistics; not of what is frozen."""
    net = random_detector()
    freeze(net, ["backbone.stages.0"])
    frozen = {
        name
        for name, each in structural_parameters(net).items()
        if each.grad_req == "null" and not name.endswith(STATISTICS)
    }
    step = engine(net, ema=DECAY)
    expected = {name: each.astype(np.float64) for name, each in weights(step).items()}
    start = dict(expected)
    sizes = [each.size for each in expected.values()]
    assert len(sizes) > 46 and max(sizes) > 2**14 > min(sizes)  # several calls of mxnet's, of both kinds
    for number in range(3):
        step(make_batch(net.spec, number), RATE)
        kept = 0.9 * (1 - math.exp(-(number + 1) / 4))
        for name, each in weights(step).items():
            expected[name] = kept * expected[name] + (1 - kept) * each
    found = step.average.arrays()
    assert frozen and set(found) == set(expected) - frozen
    last = weights(step)
    for name, each in found.items():
        size = np.abs(expected[name]).max() + 1e-30
        np.testing.assert_allclose(each, expected[name], rtol=0, atol=1e-6 * size, err_msg=name)
    far = {name: np.abs(last[name] - each).max() for name, each in found.items()}
    assert sum(difference > 0 for difference in far.values()) > len(far) / 2
    assert any(np.abs(start[name] - each).max() > 0 for name, each in found.items())


@ENGINES
def test_it_changes_no_bit_of_the_training(engine):
    nets = random_detector(), random_detector()
    plain, averaged = engine(nets[0]), engine(nets[1], ema=DECAY)
    for number in range(2):
        losses = [step(make_batch(plain.net.spec, number), RATE) for step in (plain, averaged)]
        np.testing.assert_array_equal(*losses)
        with averaged.averaged():
            averaged.predictor((64, 64))(np.full((64, 64, 3), 99, np.uint8))
    one, other = weights(plain), weights(averaged)
    for name in one:
        np.testing.assert_array_equal(other[name], one[name], err_msg=name)


@ENGINES
def test_for_a_while_the_network_has_it(engine):
    """Also after an error, as when a user stops a validation; the predictor computes with it."""
    step = engine(random_detector(), ema=DECAY)
    for number in range(3):
        step(make_batch(step.net.spec, number), 1e-6)  # at a higher rate random weights soon find nothing
    trained, average = weights(step), step.average.arrays()
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    with pytest.raises(KeyboardInterrupt), step.averaged():
        for name, each in weights(step).items():
            np.testing.assert_array_equal(each, average.get(name, trained[name]), err_msg=name)
        found = step.predictor((64, 64), score_threshold=0.0)(image)
        raise KeyboardInterrupt
    for name, each in weights(step).items():
        np.testing.assert_array_equal(each, trained[name], err_msg=name)
    net = random_detector()
    for name, parameter in structural_parameters(net).items():
        parameter.set_data(mx.nd.array(average.get(name, trained[name])))
    expected = engine(net).predictor((64, 64), score_threshold=0.0)(image)
    without = step.predictor((64, 64), score_threshold=0.0)(image)
    assert len(expected.boxes) > 5 and not np.array_equal(without.scores, found.scores)
    np.testing.assert_allclose(found.boxes, expected.boxes, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4, atol=1e-6)


@ENGINES
def test_it_goes_on_from_its_arrays_or_from_the_weights(engine):
    step, other = (engine(random_detector(), ema=DECAY) for _ in range(2))
    step(make_batch(step.net.spec), RATE)
    saved = step.average.arrays()
    other.average.restart(saved)
    for name, each in other.average.arrays().items():
        np.testing.assert_array_equal(each, saved[name], err_msg=name)
    step.average.restart(None)
    present = weights(step)
    for name, each in step.average.arrays().items():
        np.testing.assert_array_equal(each, present[name], err_msg=name)
    assert any(not np.array_equal(saved[name], present[name]) for name in saved)


def test_a_step_without_it_has_none():
    step = by_mxnet(random_detector())
    before = weights(step)
    with step.averaged():
        assert step.average is None
        for name, each in weights(step).items():
            np.testing.assert_array_equal(each, before[name], err_msg=name)


def test_every_device_has_it_and_gets_its_own_statistics_back():
    step = make_step(2, ema=DECAY)
    for number in range(2):
        step(make_batch(step.net.spec, number), RATE)
    before = values(step, 0), values(step, 1)
    moving = [name for name in before[0] if name.endswith(".running_mean")]
    assert any(not np.array_equal(before[0][name], before[1][name]) for name in moving)
    average = step.average.arrays()
    with step.averaged():
        for device in range(2):
            for name, each in values(step, device).items():
                np.testing.assert_array_equal(each, average[name], err_msg=name)
    for device in range(2):
        for name, each in values(step, device).items():
            np.testing.assert_array_equal(each, before[device][name], err_msg=name)
