"""A training that diverges goes back to its last checkpoint, with a lower learning rate."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo import Callback
from gluon_yolo.errors import SettingError
from gluon_yolo.training.checkpoint import Checkpoint
from gluon_yolo.training.trainer import Trainer
from tests.small_trainer import small_trainer
from tests.small_training import BATCHES, assert_equal_runs, draw_data, parameters, rows, start_run

HAS_TORCH = importlib.util.find_spec("torch") is not None
ENGINES = ["mxnet", pytest.param("torch", marks=pytest.mark.skipif(not HAS_TORCH, reason="needs torch"))]
SPOILED = 5  # of steps from 1: the second of epoch 1


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return draw_data(tmp_path_factory.mktemp("data"))


class Spoils(Callback):
    """Puts a number that is none into the targets of a step, some times."""

    def __init__(self, times: int, step: int = SPOILED) -> None:
        self.times, self.step, self.rates = times, step, []

    def on_step_begin(self, trainer):
        if trainer.progress.step + 1 == self.step and self.times:
            self.times -= 1
            trainer.batch.targets[0, 0, 2:6] = np.nan
            trainer.batch.targets[0, 0, 6:] = 1

    def on_step_end(self, trainer):
        self.rates.append((trainer.progress.step, trainer.learning_rate))


class Slows(Callback):
    """Gives all steps of epoch 1 and later ones the rate that a training has after roll-backs."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def on_step_begin(self, trainer):
        if trainer.epoch >= 1:
            trainer.learning_rate *= self.factor


@pytest.mark.parametrize(
    "times, more",
    [
        pytest.param(1, {}, marks=pytest.mark.slow),
        pytest.param(3, {}, marks=pytest.mark.slow),
        (1, {"ema": True}),
    ],
)
def test_it_equals_a_run_with_that_rate_from_the_checkpoint_on(data, tmp_path, caplog, times, more):
    """An average goes back too."""
    caplog.set_level("INFO", "gluon_yolo")
    trainer = small_trainer(data, tmp_path / "run", [spoils := Spoils(times)], **more)
    assert trainer.run() is not None
    factor = 0.5**times
    assert spoils.rates[:3] == [(1, 0.001), (2, 0.001), (3, 0.001)]
    assert spoils.rates[-6:] == [(step, 0.001 * factor) for step in range(4, 10)]
    assert len(spoils.rates) == 9 + times  # the first step of epoch 1, each time anew
    assert small_trainer(data, tmp_path / "whole", [Slows(factor)], **more).run() is not None
    one, other = parameters(tmp_path / "whole"), parameters(tmp_path / "run")
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(other[name], one[name], err_msg=name)
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")
    assert Checkpoint(tmp_path / "run" / "weights").read().rollbacks == times
    said = [line for line in caplog.messages if "Rolled back" in line]
    assert len(said) == times
    pattern = (
        r"epoch 1, batch 1: the loss is not finite \(.*nan.*\) on the batch of: .*scene_\S+\. Rolled back to "
        rf"the weights of epoch 1, batch 0; from there on {factor:g} of the learning rate; try {times} of 3"
    )
    assert re.fullmatch(pattern, said[-1]), said[-1]
    assert any(line.startswith(f"epoch 2  lr {0.001 * factor:.3g}  ") for line in caplog.messages)


def test_callbacks_go_back_too(data, tmp_path):
    class Counts(Spoils):
        seen, states = 0, 0

        def on_step_end(self, trainer):
            self.seen += 1

        def rolled_back(self, trainer):
            self.states = (self.seen, trainer.progress.step, trainer.progress.rollbacks)

        def state_dict(self):
            return {"seen": self.seen}

        def load_state_dict(self, state):
            self.seen = state["seen"]

    trainer = small_trainer(data, tmp_path / "run", [counts := Counts(1)])
    assert trainer.run() is not None
    assert counts.states == (3, 3, 1) and counts.seen == 9


@pytest.mark.parametrize("rollbacks", [0, 2])
def test_after_the_last_try_it_stops_as_before(data, tmp_path, rollbacks):
    trainer = small_trainer(data, tmp_path / "run", [spoils := Spoils(99)], rollbacks=rollbacks)
    with pytest.raises(SettingError, match="epoch 1, batch 1: the loss is not finite .* Training stopped; "):
        trainer.run()
    assert spoils.times == 99 - rollbacks - 1
    assert len(rows(tmp_path / "run")) == 1


def test_before_the_first_checkpoint_it_stops(data, tmp_path):
    trainer = small_trainer(data, tmp_path / "run", [spoils := Spoils(99, step=2)])
    with pytest.raises(SettingError, match="epoch 0, batch 1: .* nothing was saved before"):
        trainer.run()
    assert spoils.times == 98


@pytest.mark.slow
def test_stopped_and_resumed_it_keeps_the_lower_rate(data, tmp_path):
    class Stops(Callback):
        def on_step_end(self, trainer):
            trainer.should_stop = trainer.progress.step == 7

    assert small_trainer(data, tmp_path / "whole", [Spoils(1)]).run() is not None
    assert small_trainer(data, tmp_path / "run", [Spoils(1), Stops()]).run() is None
    trainer = small_trainer(data, tmp_path / "run", [spoils := Spoils(0)])
    trainer.resume()
    assert trainer.run() is not None
    assert spoils.rates == [(8, 0.0005), (9, 0.0005)]
    assert_equal_runs(tmp_path / "whole", tmp_path / "run")


@pytest.mark.parametrize("engine", ENGINES)
def test_from_the_command_line(data, tmp_path, monkeypatch, engine):
    """The rate of the last step of epoch 1 is huge, twice: no later loss shows it."""
    huge = [3e38, 3e38]

    def rate(trainer: Trainer) -> float:
        is_last = trainer.progress.step + 1 == 2 * BATCHES
        return huge.pop() if is_last and huge else 1e-4

    monkeypatch.setattr(Trainer, "_scheduled_rate", rate)
    flags = ["--epochs", "3", "--val-interval", "3", "--engine", engine, "--jsonl"]
    status, run = start_run(data, tmp_path, *flags)
    assert status == 0
    assert all(np.isfinite(array).all() for array in parameters(run).values())
    log = (run / "log.txt").read_text()
    assert f"epoch 1, batch {BATCHES}: the weights are no longer finite numbers. Rolled back to the" in log
    assert log.count("Rolled back") == 2 and not huge
    records = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [each["step"] for each in records if each["kind"] == "step"] == list(range(1, 10))
    assert [each["epoch"] for each in records if each["kind"] == "epoch"] == [0, 1, 2]
    assert [row["epoch"] for row in rows(run)] == ["0", "1", "2"]
