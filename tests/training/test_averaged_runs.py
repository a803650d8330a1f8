"""Whole trainings with ``--ema``: what is validated and saved, and runs that go on, by either engine."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

import gluon_yolo
from gluon_yolo import parameter_io
from gluon_yolo.cli import main
from gluon_yolo.mxnet_compat import nd
from gluon_yolo.training.callbacks.base import Callback
from gluon_yolo.weights.load import structural_parameters
from tests.small_training import assert_equal_runs, parameters

# Batch norms are frozen, or else rounding is soon as large as the weights: two engines could not be compared.
FLAGS = shlex.split("--epochs 3 --lr 0.0005 --freeze-bn --save-interval 1")
EMA = shlex.split("--ema --ema-decay 0.9 --ema-ramp-up 4")
ENGINES = ("mxnet", "torch")


@pytest.fixture(scope="module")
def whole(train) -> Callable[[str], Path]:
    """Return a function that returns a run of an engine without interruption, trained once."""
    runs: dict[str, Path] = {}

    def of(engine: str) -> Path:
        if engine == "torch":
            pytest.importorskip("torch", reason="the second engine needs PyTorch")
        if engine not in runs:
            status, runs[engine] = train(*FLAGS, *EMA, "--engine", engine)
            assert status == 0
        return runs[engine]

    return of


def trained(run: Path) -> dict[str, np.ndarray]:
    """Return the trained weights, whose average is what a run saves as its weights."""
    last = run / "weights" / "last"
    name = json.loads((last / "state.json").read_text())["files"]["trained"]["name"]
    return {name: array.asnumpy() for name, array in nd.load(str(last / name)).items()}


def loaded(run: Path, name: str, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Return some of the arrays of a file of weights."""
    arrays = nd.load(str(run / "weights" / name))
    return {name: arrays[name].asnumpy() for name in names}


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(other[name], one[name], err_msg=name)


@pytest.mark.parametrize("engine", ["mxnet", pytest.param("torch", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "number, when, status",
    [
        (signal.SIGTERM, "epoch 1 batch 1/3", 143),
        pytest.param(signal.SIGINT, "epoch 1  fit", 130, marks=pytest.mark.slow),
    ],
)
def test_stopped_and_resumed_it_ends_with_the_same_bits(whole, train, send_at, engine, number, when, status):
    """Within an epoch, and while the network has the average, in a validation."""
    expected = whole(engine)
    send_at(number, when)
    found, run = train(*FLAGS, *EMA, "--engine", engine)
    assert found == status
    assert main(["train", "--resume", str(run)]) == 0
    assert_equal_runs(expected, run)
    assert_same(trained(expected), trained(run))
    assert any((parameters(run)[name] != array).any() for name, array in trained(run).items())


@pytest.mark.parametrize(
    "first, second", [("mxnet", "torch"), pytest.param("torch", "mxnet", marks=pytest.mark.slow)]
)
def test_the_other_engine_goes_on_with_it(whole, train, send_at, first, second):
    expected = whole(second)
    whole(first)  # or there is no torch
    send_at(signal.SIGTERM, "epoch 1 batch 1/3")
    status, run = train(*FLAGS, *EMA, "--engine", first)
    assert status == 143
    assert main(["train", "--resume", str(run), "--engine", second]) == 0
    for read in (parameters, trained):
        one, other = read(expected), read(run)
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_allclose(other[name], one[name], rtol=0, atol=5e-6, err_msg=name)


class Seen(Callback):
    """Keeps the network's weights as a callback sees them."""

    def __init__(self) -> None:
        self.validated: list[dict[str, np.ndarray]] = []
        self.at_epoch_end: list[dict[str, np.ndarray]] = []

    def on_validation_end(self, trainer):
        self.validated.append(self._weights(trainer))

    def on_epoch_end(self, trainer):
        self.at_epoch_end.append(self._weights(trainer))

    def _weights(self, trainer):
        parameters = structural_parameters(trainer.net)
        return {name: parameter_io.array(each) for name, each in parameters.items()}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_validated_is_saved_and_the_training_is_the_plain_one(whole, train, data, tmp_path, engine):
    """Best, last and kept weights are the average; the trained ones are those of a run without it."""
    run = whole(engine)
    seen, settings = Seen(), {"network": "mobilenet0_25", "gpus": "", "data_shape": 64, "batch_size": 4}
    result = gluon_yolo.train(
        {**settings, "pretrained_base": "no", "random_shape": False, "data_root": str(data)},
        callbacks=[seen],
        **{"epochs": 3, "lr": 0.0005, "freeze_bn": True, "save_interval": 1, "engine": engine},
        **{"ema": True, "ema_decay": 0.9, "ema_ramp_up": 4, "save_prefix": f"{tmp_path}/"},
    )
    for epoch, weights in enumerate(seen.validated):
        assert_same(weights, loaded(result.folder, f"epoch-{epoch:04d}.params", weights))
        if epoch == result.best_epoch:
            assert_same(weights, loaded(result.folder, "best.params", weights))
    for folder in (result.folder, run):
        assert_same(weights, {name: parameters(folder)[name] for name in weights})
    last = trained(result.folder)
    assert_same(last, {name: array for name, array in seen.at_epoch_end[-1].items() if name in last})

    status, plain = train(*FLAGS, "--engine", engine)
    assert status == 0 and not list((plain / "weights" / "last").glob("trained*"))
    assert_same(last, {name: array for name, array in parameters(plain).items() if name in last})
    for name in ("total", "lr"):
        assert [row[name] for row in _rows(plain)] == [row[name] for row in _rows(run)]
    line = "weights: their moving average is validated and saved; decay 0.9, reached slowly, over 4 updates"
    assert line in (run / "log.txt").read_text() and "average is" not in (plain / "log.txt").read_text()


def _rows(run: Path) -> list[dict[str, str]]:
    from gluon_yolo.training.metrics_csv import MetricsCSV

    return MetricsCSV(run / "metrics.csv").rows()


def test_settings_of_an_average_that_is_not_kept_are_said_to_be_idle(train, caplog):
    status, run = train("--epochs", "1", "--ema-decay", "0.99")
    assert status == 0
    assert "--ema-decay has no effect without --ema" in caplog.text
