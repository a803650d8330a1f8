"""Callbacks with a state: a killed, stopped or failed training is resumed with the same result."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import gluon_yolo
from gluon_yolo import Callback
from gluon_yolo.progress.heartbeat import HEARTBEAT
from gluon_yolo.training.checkpoint import Checkpoint
from gluon_yolo.training.metrics_csv import MetricsCSV
from tests.small_trainer import small_trainer
from tests.small_training import BATCHES, ROOT, assert_equal_runs
from tests.training.callbacks.interruptions import Doing, fail, stop


class Brake(Callback):
    """Lowers the learning rate by the losses and scores since the start of the training."""

    def __init__(self) -> None:
        self.seen = 0.0

    def on_step_begin(self, trainer):
        trainer.learning_rate /= 1 + self.seen

    def on_step_end(self, trainer):
        self.seen += trainer.losses["objectness"] / 100

    def on_validation_end(self, trainer):
        self.seen += 1 - trainer.result["AP"]

    def state_dict(self):
        return {"seen": self.seen}

    def load_state_dict(self, state):
        self.seen = state["seen"]


class Stopper(Doing):
    pass


def kill(_trainer) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory) -> Path:
    """Return a run without interruption."""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert small_trainer(data, run, [Brake()]).run() is not None
    return run


def standing(run: Path) -> tuple[int, int, int]:
    """Return the epoch and batch that a run continues with, and its number of rows."""
    progress = Checkpoint(run / "weights").read()
    return progress.epoch, progress.batch, len(MetricsCSV(run / "metrics.csv").rows())


def assert_it_goes_on(whole: Path, data: Path, run: Path) -> None:
    """Resume a run, and compare all its files."""
    trainer = small_trainer(data, run, [Brake()])
    trainer.resume()
    assert trainer.run() is not None
    assert_equal_runs(whole, run)
    assert Checkpoint(run / "weights").read().callbacks["Brake"]["seen"] > 0
    for name in ("best.params", "epoch-0001.params"):
        assert (run / "weights" / name).read_bytes() == (whole / "weights" / name).read_bytes()


KILLED = """
import sys
from pathlib import Path
from tests.small_trainer import small_trainer
from tests.training.callbacks.test_resume import Brake, Doing, kill
small_trainer(Path(sys.argv[1]), Path(sys.argv[2]), [Brake(), Doing(sys.argv[3], kill)]).run()
"""


@pytest.mark.parametrize(
    "hook, at",
    [
        ("on_step_end", (1, 0, 1)),
        # between the row of the epoch and its checkpoint
        pytest.param("on_epoch_end", (1, 0, 2), marks=pytest.mark.slow),
        pytest.param("on_checkpoint", (2, 0, 2), marks=pytest.mark.slow),
    ],
)
def test_killed_and_resumed_it_ends_the_same(whole, data, tmp_path, hook, at):
    run = tmp_path / "run"
    command = [sys.executable, "-c", KILLED, str(data), str(run), hook]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert standing(run) == at
    assert_it_goes_on(whole, data, run)


def test_what_an_epoch_leaves_is_there_before_its_checkpoint(data, tmp_path, monkeypatch):
    """So a kill behind the checkpoint leaves nothing out that a resumed run would not write any more."""
    run, found = tmp_path / "run", []

    class Killed(BaseException):
        pass

    def save(*args, saved=Checkpoint.save) -> None:
        saved(*args)
        found.append({str(path.relative_to(run)) for path in run.rglob("*") if path.suffix != ".json"})
        if len(found) == 2:
            raise Killed

    monkeypatch.setattr(Checkpoint, "save", save)
    with pytest.raises(Killed):
        small_trainer(data, run).run()
    assert {"curves.png", "weights/best.params"} < found[0] and "weights/epoch-0001.params" in found[1]


@pytest.mark.parametrize(
    "hook, at",
    [
        ("on_step_end", (1, 2, 1)),
        # no batch is left to train; the validation is missing
        pytest.param("on_steps_end", (1, BATCHES, 1), marks=pytest.mark.slow),
        ("on_validation_end", (2, 0, 2)),
    ],
)
def test_stopped_by_a_callback_and_resumed_it_ends_the_same(whole, data, tmp_path, caplog, hook, at):
    caplog.set_level("INFO", "gluon_yolo")
    run = tmp_path / "run"
    trainer = small_trainer(data, run, [Brake(), stopper := Stopper(hook, stop)])
    assert trainer.run() is None
    assert trainer.should_stop and stopper.ended == 1
    assert standing(run) == at
    line = f"stopped by Stopper at epoch {at[0]}, batch {at[1]}; go on with: gluon-yolo train --resume {run}"
    assert caplog.messages[-1] == line
    assert_it_goes_on(whole, data, run)


def test_a_stop_in_the_last_epoch_is_no_stop(data, tmp_path, caplog):
    caplog.set_level("INFO", "gluon_yolo")
    trainer = small_trainer(data, tmp_path / "run", [Stopper("on_epoch_end", stop)], epochs=2)
    assert trainer.run() is trainer.result is not None
    assert not [line for line in caplog.messages if line.startswith("stopped")]


def test_a_stop_can_be_taken_back(data, tmp_path):
    def change_mind(trainer) -> None:
        trainer.should_stop = True
        assert trainer.should_stop
        trainer.should_stop = False

    trainer = small_trainer(data, tmp_path / "run", [Stopper("on_step_end", change_mind)], epochs=2)
    assert trainer.run() is not None and not trainer.should_stop


@pytest.mark.parametrize(
    "hook, at",
    [("on_step_end", (1, 0, 1)), pytest.param("on_validation_begin", (1, 0, 1), marks=pytest.mark.slow)],
)
def test_a_failure_keeps_the_checkpoint_and_the_run_goes_on(whole, data, tmp_path, caplog, hook, at):
    run = tmp_path / "run"
    trainer = small_trainer(data, run, [Brake(), failing := Doing(hook, fail)])
    tasks = len(HEARTBEAT._tasks)
    with pytest.raises(ValueError, match="no luck"):
        trainer.run()
    assert failing.ended == 1
    assert len(HEARTBEAT._tasks) == tasks  # the bar and the validation are finished
    assert standing(run) == at
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    batch = {"on_step_end": 2, "on_validation_begin": 3}[hook]
    assert said == (
        f"epoch 1, batch {batch}: the callback Doing failed in {hook} (ValueError: no luck). "
        f"Training stopped; {run}/weights/last keeps the state of epoch 1, batch 0"
    )
    assert_it_goes_on(whole, data, run)


def test_a_state_that_cannot_be_saved_leaves_the_checkpoint_before(data, tmp_path):
    class Growing(Callback):
        epochs = 0

        def on_epoch_end(self, trainer):
            self.epochs += 1

        def state_dict(self):
            return {"epochs": self.epochs if self.epochs < 2 else object()}

    run = tmp_path / "run"
    with pytest.raises(Exception, match="Growing.state_dict: a checkpoint keeps text, numbers"):
        small_trainer(data, run, [Growing()]).run()
    assert standing(run) == (1, 0, 2)
    assert Checkpoint(run / "weights").read().callbacks == {"Growing": {"epochs": 1}}


@pytest.mark.slow
def test_checkpoints_with_other_states_than_the_callbacks_load(data, tmp_path, caplog):
    run = tmp_path / "run"
    stopper = Doing("on_step_end", stop)
    assert small_trainer(data, run, [Brake(), stopper], epochs=2).run() is None
    state = run / "weights" / "last" / "state.json"
    record = json.loads(state.read_text())
    assert list(record["callbacks"]) == ["Brake"]

    small_trainer(data, run, epochs=2).resume()  # with the state of a missing callback
    assert "the checkpoint has the state of callbacks that are not given now: Brake" in caplog.messages
    caplog.clear()

    del record["callbacks"]  # as in checkpoints of older versions
    state.write_text(json.dumps(record))
    trainer = small_trainer(data, run, [brake := Brake()], epochs=2)
    trainer.resume()
    assert brake.seen == 0 and not [line for line in caplog.messages if "callbacks" in line]
    assert trainer.run() is not None
    assert Checkpoint(run / "weights").read().callbacks == {"Brake": {"seen": brake.seen}}


def test_the_documented_callback(data, tmp_path, caplog):
    """The example of the documentation stops: at this learning rate no later validation is better."""
    caplog.set_level("INFO", "gluon_yolo")
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8").partition("\n## Callbacks\n")[2]
    code = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0]
    names: dict = {"gluon_yolo": gluon_yolo}
    exec(code, names)
    run = tmp_path / "run"
    trainer = small_trainer(data, run, [names["EarlyStopping"](patience=2)], lr=1e-9, epochs=9)
    assert trainer.run() is None
    assert standing(run) == (3, 0, 3)
    assert "stopped by EarlyStopping at epoch 3, batch 0; go on with: " in caplog.messages[-1]
    resumed = small_trainer(data, run, [stopping := names["EarlyStopping"](patience=9)], lr=1e-9, epochs=9)
    resumed.resume()
    assert stopping.waited == 2
