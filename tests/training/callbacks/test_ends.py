"""Trainings that end before their last epoch: by patience, or by a budget of time."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from gluon_yolo import Callback
from gluon_yolo.cli import main
from gluon_yolo.training.callbacks.early_stopping import EarlyStopping
from gluon_yolo.training.callbacks.time_budget import TimeBudget
from gluon_yolo.training.checkpoint import Checkpoint
from tests.small_trainer import small_trainer
from tests.small_training import assert_equal_runs, draw_data, rows, start_run


@pytest.mark.parametrize(
    "patience, scores, last",
    [
        (1, [0.1, 0.2, 0.2], 2),  # as good is not better
        (2, [0.1, 0.2, 0.2, 0.1], 3),
        (2, [0.0, 0.0, 0.1, 0.0, 0.05], 4),
        (3, [0.3, 0.2, 0.1, 0.4, 0.1, 0.1], None),
    ],
)
@pytest.mark.parametrize("resumed", [False, True])
def test_patience(patience, scores, last, resumed):
    ends: list[int] = []
    progress = SimpleNamespace(best_score=None, best_epoch=None)
    callback = EarlyStopping(patience)
    for epoch, score in enumerate(scores):
        if progress.best_score is None or score > progress.best_score:
            progress.best_score, progress.best_epoch = score, epoch
        validation = SimpleNamespace(score_key="AP")
        trainer = SimpleNamespace(epoch=epoch, progress=progress, validation=validation)
        trainer.end = lambda reason, epoch=epoch: ends.append(epoch)
        callback.on_validation_end(trainer)
        if resumed:
            state, callback = callback.state_dict(), EarlyStopping(patience)
            callback.load_state_dict(state)
    assert ends == ([] if last is None else [last])


@pytest.mark.parametrize(
    "hours, ended",
    # Steps of an epoch take 600 s; validation and checkpoint 120 s. So epochs end at 720, 1440, 2160, 2880 s.
    # How long they take is not known after the first steps.
    [(0.01, 0), (0.33, 0), (0.34, 1), (0.599, 1), (0.601, 2), (2.0, None)],
)
@pytest.mark.parametrize("resumed", [False, True])
def test_hours(hours, ended, resumed):
    now = [5000.0]
    callback = TimeBudget(3600 * hours, lambda: now[0])
    logger = SimpleNamespace(images_per_second=40 / 600)
    config = SimpleNamespace(batch_size=4, epochs=4)
    trainer = SimpleNamespace(metric_logger=logger, batches=10, config=config)
    trainer.should_stop = False
    ends: list[tuple[int, str]] = []
    trainer.end = lambda reason: ends.append((trainer.epoch, reason))
    callback.on_train_begin(trainer)
    for epoch in range(4):
        trainer.epoch = epoch
        callback.on_epoch_begin(trainer)
        now[0] += 600
        callback.on_steps_end(trainer)
        now[0] += 120
        if resumed and epoch == 1:
            state, callback = callback.state_dict(), TimeBudget(3600 * hours, lambda: now[0])
            now[0] += 1e6  # nothing runs in this time
            callback.load_state_dict(state)
            callback.on_train_begin(trainer)
    assert (ends[0][0] if ends else None) == ended


def test_a_resumed_budget_counts_the_time_before():
    now = [0.0]
    callback = TimeBudget(3600, lambda: now[0])
    callback.load_state_dict({"seconds": 3000.0})
    now[0] = 77.0
    callback.on_train_begin(SimpleNamespace())
    now[0] += 20.0
    assert callback.state_dict() == {"seconds": 3020.0}


class EndsAt(Callback):
    """Ends the training at one hook of an epoch."""

    def __init__(self, hook: str, epoch: int) -> None:
        setattr(self, hook, lambda trainer: trainer.epoch == epoch and trainer.end("enough"))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return draw_data(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("hook, validated", [("on_step_end", 1), ("on_steps_end", 1), ("on_epoch_end", 0)])
def test_the_epoch_that_ends_a_training_is_whole_and_validated(data, tmp_path, caplog, hook, validated):
    caplog.set_level("INFO", "gluon_yolo")
    run = tmp_path / "run"
    trainer = small_trainer(data, run, [EndsAt(hook, 1)], epochs=5, val_interval=5)
    result = trainer.run()
    assert (result is trainer.result is not None) == bool(validated)
    progress = Checkpoint(run / "weights").read()
    assert (progress.epoch, progress.batch, progress.ended) == (2, 0, "enough")
    assert [bool(row["AP"]) for row in rows(run)] == [False, True] if validated else len(rows(run)) == 2
    said = "ended after epoch 1, the 2. of 5: enough; the rate was 0.001 by then"
    assert said in caplog.messages and not [line for line in caplog.messages if line.startswith("stopped")]


def test_a_run_that_patience_ended_is_finished(data, tmp_path, capsys):
    status, run = start_run(data, tmp_path, *"--epochs 9 --lr 1e-12 --patience 1".split())
    assert status == 0
    said = capsys.readouterr()
    assert "done: best weights" in said.out and "average precision by class, at the last epoch" in said.err
    trained = len(rows(run))
    assert trained < 9  # at this rate only the running statistics change
    line = (
        f"ended after epoch {trained - 1}, the {trained}. of 9: 1 validation without a better fitness than "
    )
    assert line in (run / "log.txt").read_text()
    state = (run / "weights" / "last" / "state.json").read_bytes()
    assert main(["train", "--resume", str(run)]) == 0
    said = capsys.readouterr().out
    assert f"{run}: finished: it ended before its 9 epochs: 1 validation without a better fitness" in said
    assert (run / "weights" / "last" / "state.json").read_bytes() == state


def test_stopped_and_resumed_it_ends_at_the_same_epoch(data, tmp_path):
    class Stops(Callback):
        def on_step_end(self, trainer):
            if trainer.progress.step == 5:
                trainer.should_stop = True

    low = {"epochs": 9, "lr": 1e-12, "patience": 1}
    assert small_trainer(data, tmp_path / "whole", **low).run() is not None
    assert small_trainer(data, tmp_path / "run", [Stops()], **low).run() is None
    trainer = small_trainer(data, tmp_path / "run", **low)
    trainer.resume()
    assert trainer.run() is not None
    assert_equal_runs(tmp_path / "whole", tmp_path / "run")
    assert Checkpoint(tmp_path / "run" / "weights").read().epoch < 9


def test_hours_end_a_real_training(data, tmp_path, caplog):
    caplog.set_level("INFO", "gluon_yolo")
    trainer = small_trainer(data, tmp_path / "run", epochs=9, val_interval=9, hours=1e-6)
    assert trainer.run() is not None  # one whole epoch, validated
    assert Checkpoint(tmp_path / "run" / "weights").read().epoch == 1
    assert [line for line in caplog.messages if line.startswith("ended after epoch 0, the 1. of 9: of 0 s ")]
