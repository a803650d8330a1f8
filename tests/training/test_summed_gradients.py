"""Gradients summed over several batches, and shortened to a norm: by both engines, and in whole trainings."""

from __future__ import annotations

import shlex
import signal
from typing import Any

import numpy as np
import pytest

import gluon_yolo
from gluon_yolo.cli import main
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.training.callbacks.base import Callback
from gluon_yolo.training.checkpoint import Checkpoint
from gluon_yolo.training.mxnet_engine.step import TrainStep
from tests.random_model import random_detector
from tests.small_training import assert_equal_runs, draw_data, start_run
from tests.training.mxnet_engine.test_step import make_batch
from tests.training.test_weight_average import ENGINES, weights

RATE = 0.01
PLAIN = {"momentum": 0.0, "wd": 0.0}  # weights then change by the rate times the gradient
FLAGS = shlex.split(
    "--epochs 3 --lr 0.0005 --freeze-bn --accumulate 2 --clip-grad-norm 20 --ema --ema-ramp-up 4"
)

Arrays = dict[str, np.ndarray]


def changes(
    engine: Any, *batches: tuple[int, bool], net: DetectionNetwork | None = None, **options
) -> Arrays:
    """Return what some batches change in the weights; each is a number, and whether an update follows."""
    step = engine(net or random_detector(norm="frozen"), **{**PLAIN, **options})
    before = weights(step)
    for number, updates in batches:
        step(make_batch(step.net.spec, number), RATE, updates)
    return {name: after - before[name] for name, after in weights(step).items()}


def norm(arrays: Arrays) -> float:
    return float(np.sqrt(sum((each.astype(np.float64) ** 2).sum() for each in arrays.values())))


def summing(engine: Any, **options: Any) -> Any:
    """Return an engine that sums gradients: mxnet's must be told, torch's always can."""
    more = {"sums_gradients": True} if engine.__name__ == "by_mxnet" else {}
    return lambda net, **given: engine(net, **{**more, **options, **given})


def assert_near(found: Arrays, expected: Arrays, share: float = 1e-5) -> None:
    """Compare changes by their norm: float32 rounds each weight that is changed."""
    difference = norm({name: found[name] - each for name, each in expected.items()})
    assert found.keys() == expected.keys() and difference < share * norm(expected)


@ENGINES
@pytest.mark.parametrize("loss_scale", [1.0, 128.0])
def test_an_update_is_by_the_mean_of_its_batches(engine, loss_scale):
    alone = [changes(engine, (number, True)) for number in range(3)]
    expected = {name: sum(each[name] for each in alone) / 3 for name in alone[0]}
    together = changes(summing(engine, loss_scale=loss_scale), (0, False), (1, False), (2, True))
    assert_near(together, expected)
    assert norm(expected) > 0


@ENGINES
def test_nothing_is_left_over_for_the_next_update(engine):
    """Nor of a group that was not finished, where a run goes on."""
    first = changes(summing(engine), (0, False), (1, True))
    step = summing(engine)(random_detector(norm="frozen"), **PLAIN)
    before = weights(step)
    step(make_batch(step.net.spec, 7), RATE, False)
    assert all((each == before[name]).all() for name, each in weights(step).items())
    step.from_net()
    for number, updates in ((0, False), (1, True)):
        step(make_batch(step.net.spec, number), RATE, updates)
    between = weights(step)
    for name, each in between.items():
        np.testing.assert_array_equal(each - before[name], first[name], err_msg=name)
    step(make_batch(step.net.spec, 2), RATE)
    found = {name: each - between[name] for name, each in weights(step).items()}
    assert_near(found, changes_of(engine, between, 2))


def changes_of(engine: Any, start: Arrays, number: int) -> Arrays:
    """Return what a batch changes in some weights."""
    from gluon_yolo.weights.load import structural_parameters

    net = random_detector(norm="frozen")
    for name, parameter in structural_parameters(net).items():
        parameter.set_data(mx.nd.array(start[name]))
    return changes(engine, (number, True), net=net)


@ENGINES
@pytest.mark.parametrize("loss_scale", [1.0, 128.0])
def test_a_long_gradient_is_shortened_to_the_norm_and_a_short_one_stays(engine, loss_scale):
    whole = changes(engine, (0, True))
    length = norm(whole) / RATE
    short = changes(engine, (0, True), max_norm=length / 4, loss_scale=loss_scale)
    assert norm(short) / RATE == pytest.approx(length / 4, rel=1e-5)
    assert_near(short, {name: each / 4 for name, each in whole.items()})
    for name, each in changes(engine, (0, True), max_norm=2 * length).items():
        np.testing.assert_array_equal(each, whole[name], err_msg=name)


@ENGINES
def test_the_norm_is_that_of_the_sum(engine):
    whole = changes(summing(engine), (0, False), (1, True))
    short = changes(summing(engine), (0, False), (1, True), max_norm=norm(whole) / RATE / 2)
    assert_near(short, {name: each / 2 for name, each in whole.items()})


def test_two_devices_shorten_the_gradient_of_both():
    def two(net: DetectionNetwork, **options: Any) -> TrainStep:
        net.collect_params().reset_ctx([mx.cpu(0), mx.cpu(1)])
        return TrainStep(net, [mx.cpu(0), mx.cpu(1)], **options)

    def one(net: DetectionNetwork, **options: Any) -> TrainStep:
        return TrainStep(net, [mx.cpu()], **options)

    most = norm(changes(one, (0, True))) / RATE / 3
    options = {"max_norm": most, "sums_gradients": True}
    found, expected = (changes(engine, (0, False), (1, True), **options) for engine in (two, one))
    assert_near(found, expected, 1e-4)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_data(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("engine", ["mxnet", pytest.param("torch", marks=pytest.mark.slow)])
def test_a_run_is_stopped_between_updates_and_resumed_to_the_same_bits(
    data, tmp_path, send_at, engine, capsys
):
    """An epoch of three batches has two updates: of two batches, and of the one that is left."""
    if engine == "torch":
        pytest.importorskip("torch", reason="the second engine needs PyTorch")
    flags = [*FLAGS, "--engine", engine]
    status, whole = start_run(data, tmp_path / "whole", *flags)
    assert status == 0
    send_at(signal.SIGTERM, "epoch 1 batch 1/3")
    status, run = start_run(data, tmp_path / "stopped", *flags)
    assert status == 143
    progress = Checkpoint(run / "weights").read()
    assert (progress.epoch, progress.batch, progress.step) == (1, 2, 5)
    assert main(["train", "--resume", str(run)]) == 0
    assert_equal_runs(whole, run)
    log = (whole / "log.txt").read_text()
    assert (
        "updates: by the gradients of 2 batches, 8 pictures, and of what is left at an epoch's end; batch "
        "normalisation sees 4 pictures at a time" in log
    )
    assert "updates: gradients are shortened to a norm of 20" in log


class Counts(Callback):
    """Notes the updates that the optimizer has counted after each step."""

    def __init__(self) -> None:
        self.updates: list[int] = []

    def on_step_end(self, trainer):
        trainer.step.to_net()
        self.updates.append(trainer.step.trainer.optimizer.num_update)


@pytest.mark.parametrize("engine", ["mxnet", "torch"])
@pytest.mark.parametrize(
    "accumulate, updates", [(1, [1, 2, 3, 4, 5, 6]), (2, [0, 1, 2, 2, 3, 4]), (9, [0, 0, 1, 1, 1, 2])]
)
def test_the_updates_of_two_epochs_of_three_batches(data, tmp_path, engine, accumulate, updates):
    if engine == "torch":
        pytest.importorskip("torch", reason="the second engine needs PyTorch")
    counts, settings = Counts(), {"network": "mobilenet0_25", "gpus": "", "data_shape": 64, "batch_size": 4}
    gluon_yolo.train(
        {**settings, "pretrained_base": "no", "random_shape": False, "data_root": str(data)},
        callbacks=[counts],
        **{"epochs": 2, "val_interval": 2, "engine": engine, "accumulate": accumulate},
        save_prefix=f"{tmp_path}/",
    )
    assert counts.updates == updates
