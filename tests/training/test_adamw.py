"""AdamW of both engines: the published formula, PyTorch's own numbers, and runs that go on."""

from __future__ import annotations

import shlex
import signal

import numpy as np
import pytest

from gluon_yolo.cli import main
from gluon_yolo.mxnet_compat import autograd, mx, nd
from gluon_yolo.training.checkpoint import Checkpoint, Progress
from gluon_yolo.training.mxnet_engine.adamw import AdamW, make_trainer
from tests.random_model import random_detector
from tests.small_training import assert_equal_runs, draw_data, parameters, start_run
from tests.training.mxnet_engine.test_step import make_batch
from tests.training.test_weight_average import ENGINES, by_mxnet, by_torch, weights

SHAPES = {"large": (3, 2**14), **{f"small {place}": (place % 5 + 1,) for place in range(60)}}
DECAYED = {name: place % 3 > 0 for place, name in enumerate(SHAPES)}
STEPS, BATCH, BETA1, WD = 6, 4, 0.8, 0.1
RATES = [0.01 * (step + 1) for step in range(STEPS)]
_rng = np.random.default_rng(0)
START = {name: _rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
GRADIENTS = [
    {name: _rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()} for _ in range(STEPS)
]


def by_formula() -> dict[str, np.ndarray]:
    """Return the weights after all steps, in float64 (Loshchilov and Hutter, algorithm 2)."""
    found = {}
    for name, start in START.items():
        weight, mean, square = start.astype(np.float64), 0.0, 0.0
        for number, (rate, gradients) in enumerate(zip(RATES, GRADIENTS), 1):
            gradient = gradients[name].astype(np.float64) / BATCH
            mean = 0.8 * mean + 0.2 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            scaled = mean / (1 - 0.8**number) / (np.sqrt(square / (1 - 0.999**number)) + 1e-8)
            weight = weight - rate * (scaled + (0.1 if DECAYED[name] else 0.0) * weight)
        found[name] = weight
    return found


@pytest.mark.parametrize("devices, on_store", [(1, None), (2, True), (2, False)])
def test_mxnets_updates_are_the_formulas(devices, on_store):
    from gluon_yolo.mxnet_compat import gluon

    contexts = [mx.cpu(index) for index in range(devices)]
    learned = {name: gluon.Parameter(name, shape=shape) for name, shape in SHAPES.items()}
    for name, parameter in learned.items():
        parameter.initialize(ctx=contexts)
        parameter.set_data(nd.array(START[name]))
        parameter.wd_mult = float(DECAYED[name])
    trainer = make_trainer(learned, "adamw", BETA1, WD, kvstore="local", update_on_kvstore=on_store)
    for rate, gradients in zip(RATES, GRADIENTS):
        with autograd.record():
            losses = [
                (parameter.data(context) * nd.array(gradients[name] / devices, ctx=context)).sum()
                for name, parameter in learned.items()
                for context in contexts
            ]
        autograd.backward(losses)
        trainer.set_learning_rate(rate)
        trainer.step(BATCH)
    for name, expected in by_formula().items():
        for context in contexts:
            found = learned[name].data(context).asnumpy()
            np.testing.assert_allclose(
                found, expected, rtol=0, atol=1e-6 if name == "large" else 1e-5, err_msg=name
            )
    assert trainer.optimizer.num_update == STEPS


def test_torchs_updates_are_the_formulas_and_its_own():
    torch = pytest.importorskip("torch", reason="the second engine needs PyTorch")
    from gluon_yolo.training.torch_engine.adamw import AdamW as TorchAdamW

    def learned() -> dict[str, torch.nn.Parameter]:
        return {name: torch.nn.Parameter(torch.tensor(each).double()) for name, each in START.items()}

    ours, own = learned(), learned()
    optimizer = TorchAdamW(ours, BETA1, WD, [name for name in ours if not DECAYED[name]])
    groups = [
        {"params": [each for name, each in own.items() if DECAYED[name] == decayed], "weight_decay": wd}
        for decayed, wd in ((True, WD), (False, 0.0))
    ]
    theirs = torch.optim.AdamW(groups, betas=(BETA1, 0.999), eps=1e-8)
    for rate, gradients in zip(RATES, GRADIENTS):
        for name, gradient in gradients.items():
            ours[name].grad = torch.tensor(gradient).double()
            own[name].grad = torch.tensor(gradient).double() / BATCH
        for group in theirs.param_groups:
            group["lr"] = rate
        optimizer.step(rate, 1 / BATCH)
        theirs.step()
        assert all(each.grad is None for each in ours.values())
    for name, expected in by_formula().items():
        np.testing.assert_allclose(ours[name].detach().numpy(), expected, rtol=0, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(own[name].detach().numpy(), expected, rtol=0, atol=1e-12, err_msg=name)


@ENGINES
def test_the_first_update_is_by_the_rate_whatever_the_gradient(engine):
    """Without decay each weight moves by the rate, but for epsilon: mean / sqrt(square) is 1 or -1."""
    step = engine(random_detector(norm="frozen"), optimizer="adamw", wd=0.0)
    before = weights(step)
    step(make_batch(step.net.spec), 0.01)
    moved = np.concatenate([(each - before[name]).ravel() for name, each in weights(step).items()])
    moved = np.abs(moved[moved != 0])
    assert len(moved) > 10_000 and np.quantile(moved, 0.1) == pytest.approx(0.01, rel=1e-3)
    assert moved.max() < 0.010001


@pytest.mark.parametrize(
    "first, second", [(by_mxnet, by_torch), (by_torch, by_mxnet)], ids=["mxnet", "torch"]
)
def test_a_checkpoint_of_one_engine_is_the_others(tmp_path, first, second):
    """Means, squares and the number of updates, on which the size of a step depends."""
    one = first(random_detector(norm="frozen"), optimizer="adamw", no_wd=True)
    for number in range(3):
        one(make_batch(one.net.spec, number), 1e-4)
    one.to_net()
    progress = Progress("net", ("a",), 1, step=3, schedule={"total_epochs": 9, "batches_per_epoch": 5})
    Checkpoint(tmp_path / "one").save(one.net, one.trainer, progress)
    other = second(random_detector(norm="frozen", seed=1), optimizer="adamw", no_wd=True)
    Checkpoint(tmp_path / "one").load(other.net, other.trainer, "net", ("a",))
    other.from_net()
    assert isinstance(other.trainer.optimizer, AdamW) and other.trainer.optimizer.num_update == 3
    steps = one, other
    losses = [step(make_batch(one.net.spec, 3), 1e-4) for step in steps]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    found, expected = weights(other), weights(one)
    apart = np.concatenate([np.abs(found[name] - each).ravel() for name, each in expected.items()])
    # Each weight moves by about the rate. A step of a wrong count or without means is apart by most of it.
    assert np.quantile(apart, 0.99) < 1e-6 and apart.max() < 2e-4
    assert one.trainer.optimizer.num_update == other.trainer.optimizer.num_update == 4


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_data(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("engine", ["mxnet", pytest.param("torch", marks=pytest.mark.slow)])
def test_a_run_is_stopped_and_resumed_to_the_same_bits(data, tmp_path, send_at, engine):
    if engine == "torch":
        pytest.importorskip("torch", reason="the second engine needs PyTorch")
    flags = shlex.split(f"--epochs 3 --lr 0.0005 --no-wd --optimizer adamw --wd 0.05 --engine {engine}")
    status, whole = start_run(data, tmp_path / "whole", *flags)
    assert status == 0
    status, plain = start_run(
        data, tmp_path / "plain", *shlex.split(f"--epochs 3 --lr 0.0005 --engine {engine}")
    )
    assert status == 0 and "optimizer: " not in (plain / "log.txt").read_text()
    send_at(signal.SIGTERM, "epoch 1 batch 1/3")
    status, run = start_run(data, tmp_path / "stopped", *flags)
    assert status == 143
    assert main(["train", "--resume", str(run)]) == 0
    assert_equal_runs(whole, run)
    assert "optimizer: AdamW, beta1 0.9, weight decay 0.05" in (whole / "log.txt").read_text()
    one, other = parameters(plain), parameters(whole)
    assert any(not np.array_equal(one[name], other[name]) for name in one)
