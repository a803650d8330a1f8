"""Training from the command line: the files of a run, its end, and its resume."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from gluon_yolo.cli import main
from gluon_yolo.evaluation.voc_ap import VOCMetric
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.progress.heartbeat import HEARTBEAT
from gluon_yolo.training.checkpoint import Checkpoint
from gluon_yolo.training.lr_schedule import Schedule
from gluon_yolo.training.metrics_csv import MetricsCSV
from gluon_yolo.training.mxnet_engine.step import TrainStep
from tests.small_training import (
    BATCH_SIZE,
    BATCHES,
    NAME,
    RANDOM_SHAPE,
    ROOT,
    SMALL,
    assert_equal_runs,
    parameters,
    rows,
)

RECIPE = shlex.split("--epochs 3 --lr 0.0005 --mixup --no-mixup-epochs 1 --label-smooth --no-wd")


@pytest.fixture(scope="module")
def whole(train) -> Path:
    """Return a run without interruption."""
    status, run = train(*RECIPE)
    assert status == 0
    return run


def test_a_run_leaves_all_it_should(whole, data):
    files = {str(path.relative_to(whole)) for path in whole.rglob("*") if path.is_file()}
    images = {f"pictures/train-batch-{number}.jpg" for number in range(3)} | {"pictures/validation.jpg"}
    assert images <= files
    assert {"args.json", "model.json", "log.txt", "metrics.csv", "curves.png"} <= files
    assert {"weights/best.params", "weights/epoch-0001.params", "weights/last/state.json"} <= files
    assert not [name for name in files if name.endswith(".part")]

    args = json.loads((whole / "args.json").read_text())
    assert (args["epochs"], args["lr"], args["mixup"], args["gpus"]) == (3, 0.0005, True, "")
    assert (args["data_root"], args["dataset"], args["seed"]) == (str(data), "voc", 233)
    assert not {"resume", "func", "command"} & set(args)
    model = json.loads((whole / "model.json").read_text())
    assert model["network"] == NAME and model["input"]["size_hw"] == [64, 64]

    numbers = MetricsCSV(whole / "metrics.csv").rows()
    assert [row["epoch"] for row in numbers] == ["0", "1", "2"]
    for row in numbers:
        parts = [float(row[name]) for name in ("objectness", "centre", "scale", "class")]
        assert float(row["total"]) == pytest.approx(sum(parts), rel=1e-4)
        assert 0 <= float(row["VOC07_mAP50"]) <= 1 and float(row["pictures_per_second"]) > 0
        fitness = 0.9 * float(row["AP"]) + 0.1 * float(row["AP50"])
        assert float(row["fitness"]) == pytest.approx(fitness, abs=1e-6) and 0 <= fitness <= 1
    log = (whole / "log.txt").read_text()
    assert "12 pictures" in log and "3 pictures" in log  # a summary line of each split
    assert "epoch 2 batch 2/3  lr 0.0005  loss" in log
    assert "average precision by class" in log and "VOC07 AP50" in log and "best: fitness" in log
    scores = "  ".join(
        rf"{name} 0\.\d{{4}}" for name in ("fitness", "AP", "AP50", "VOC07_mAP50", "VOC_mAP50")
    )
    assert re.search(rf"epoch 2  {scores}  \(best 0\.\d{{4}} at epoch \d\)\n", log)
    assert re.search(r"epoch 1 batch 2/3 .* min left in this epoch, [\d.]+ s in the training\n", log)
    assert cv2.imread(str(whole / "pictures" / "validation.jpg")).shape[2] == 3


def test_a_run_is_a_model(whole, data):
    found = Predictor.load(whole)(data / "JPEGImages" / "scene_00000.jpg")
    assert found.scores is not None


def test_a_finished_run_says_so(whole, capsys):
    before = (whole / "weights" / "last" / "state.json").read_bytes()
    assert main(["train", "--resume", str(whole)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"{whole}: finished: all 3 epochs are trained, best score 0.")
    start = "to train on, start a new run from its weights: "
    assert said[1].startswith(f"{start}gluon-yolo train --network mobilenet")
    assert said[1].endswith(f" --weights {whole}")
    assert (whole / "weights" / "last" / "state.json").read_bytes() == before


# A training that kills itself: a kill from another process may come after the end of the epoch.
KILLED = """
import logging, os, signal, sys
from gluon_yolo.cli import main

class Killer(logging.Handler):
    def emit(self, record):
        if record.getMessage().startswith("epoch 1 batch 2/3"):
            os.kill(os.getpid(), signal.SIGKILL)

logging.getLogger("gluon_yolo").addHandler(Killer())
main(["train", *sys.argv[1:]])
"""


def test_killed_in_an_epoch_and_resumed_it_ends_the_same(whole, data, tmp_path, capsys):
    words = ["--data-root", str(data), "--save-prefix", f"{tmp_path}/", *SMALL, *RECIPE, "-j", "3"]
    command = [sys.executable, "-c", KILLED, *words]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    run = tmp_path / f"{NAME}-1"
    assert Checkpoint(run / "weights").read().epoch == 1
    assert main(["train", "--resume", str(run), "-j", "1"]) == 0
    assert "resuming at epoch 1, batch 0" in capsys.readouterr().err
    assert_equal_runs(whole, run)


@pytest.mark.parametrize(
    "number, when, at, status",
    [
        (signal.SIGTERM, "epoch 1 batch 1/3", (1, 1), 143),
        (signal.SIGINT, "epoch 0 batch 2/3", (0, 2), 130),
        # during the validation: the epoch is finished, and the next one has not begun
        (signal.SIGINT, "epoch 1  fitness", (2, 0), 130),
    ],
    ids=["SIGTERM", "SIGINT", "while validating"],
)
def test_stopped_by_a_signal_and_resumed_it_ends_the_same(
    whole, train, send_at, capfd, number, when, at, status
):
    send_at(number, when)
    found, run = train(*RECIPE)
    said = capfd.readouterr()
    assert found == status
    assert f"{number.name}: finishing what is under way, then saving" in said.err
    command = f"go on with: gluon-yolo train --resume {run}"
    assert f"stopped by {number.name} at epoch {at[0]}, batch {at[1]}; {command}" in said.err
    assert "done:" not in said.out and "Traceback" not in said.err
    progress = Checkpoint(run / "weights").read()
    assert (progress.epoch, progress.batch, progress.step) == (*at, at[0] * BATCHES + at[1])
    assert len(rows(run)) == at[0]

    assert main(["train", "--resume", str(run)]) == 0
    assert_equal_runs(whole, run)


@pytest.mark.slow
def test_stopped_at_an_epochs_last_batch_it_validates_after_resuming(whole, train, monkeypatch, capsys):
    """At this point no batch of the epoch is left to train."""
    step = TrainStep.__call__

    def stop_after(self, *given):
        losses = step(self, *given)
        if self.trainer.optimizer.num_update == 2 * BATCHES:
            os.kill(os.getpid(), signal.SIGTERM)
        return losses

    with monkeypatch.context() as patched:
        patched.setattr(TrainStep, "__call__", stop_after)
        status, run = train(*RECIPE)
    assert status == 143
    assert Checkpoint(run / "weights").read().batch == BATCHES
    capsys.readouterr()
    assert main(["train", "--resume", str(run)]) == 0
    said = capsys.readouterr().err
    (line,) = [line for line in said.splitlines() if line.startswith("epoch 1  lr")]
    assert line.endswith(")  trained before the run was stopped") and " 0.0 pictures/s" not in said
    assert_equal_runs(whole, run)
    timed = [row["seconds"] for row in MetricsCSV(run / "metrics.csv").rows()]
    assert timed[1] == "" and float(timed[0]) > 0 and float(timed[2]) > 0


def test_it_says_what_an_epoch_is_and_once_a_minute_how_far_it_is(train, monkeypatch, capsys):
    """At any log interval, also during validation; the test controls when a minute has passed."""
    step, update = TrainStep.__call__, VOCMetric.update

    def minute_is_over() -> None:
        HEARTBEAT.seconds = 0
        HEARTBEAT.beat()
        HEARTBEAT.seconds = 1e6

    def observed(self, index, *found):
        if index == 0:
            minute_is_over()
        update(self, index, *found)

    def stepped(self, *given):
        minute_is_over()
        return step(self, *given)

    monkeypatch.setattr(TrainStep, "__call__", stepped)
    monkeypatch.setattr(VOCMetric, "update", observed)
    status, run = train("--epochs", "2", "--log-interval", "100")
    assert status == 0
    said = capsys.readouterr().err.splitlines()
    plan = "an epoch: 3 batches of 4, all 12 training pictures; the training: 2 epochs, 6 batches"
    assert f"{plan}; validated after each epoch on 3 pictures" in said
    assert "epoch 1: 0 of 3 batches" in said
    lefts = "left in this epoch, {} in the training"
    lines = [line for line in said if re.search(lefts.format(r"(\d+ \w+ ?)+"), line)]
    starts = [f"epoch {epoch} batch {batch}/3  lr 0.001  loss " for epoch in (0, 1) for batch in (1, 2)]
    assert all(line.startswith(start) for line, start in zip(lines, starts)) and len(lines) == 4
    validating = [line for line in said if "validate: 0 of 3 pictures" in line]
    assert [line.split(" left")[0].rpartition(",")[0] for line in validating] == [
        "epoch 0: trained",
        "epoch 1: trained",
    ]
    assert all(line in (run / "log.txt").read_text() for line in (*lines, *validating))


@pytest.mark.parametrize(
    "flags, said",
    [
        (
            "--batch-size 5",
            "an epoch: 2 batches of 5, 10 of 12 training pictures; the training: 1 epoch, 2 batches",
        ),
        ("--batch-size 24", "an epoch: 1 batch of 24, each of 12 training pictures 2 times"),
        ("--num-samples 8", "an epoch: 2 batches of 4, 8 of 12 training pictures"),
        ("--val-interval 5", "1 epoch, 3 batches; validated after every 5 epochs on 3 pictures"),
    ],
)
def test_the_plan_of_other_epochs(train, flags, said):
    status, run = train("--epochs", "1", *shlex.split(flags))
    assert status == 0
    assert said in (run / "log.txt").read_text()


@pytest.mark.slow
def test_a_run_from_before_there_was_a_fitness_goes_on_by_its_score(train, send_at, capsys):
    send_at(signal.SIGTERM, "epoch 1 batch 1/3")
    status, run = train(*RECIPE)
    assert status == 143
    state = run / "weights" / "last" / "state.json"
    record = json.loads(state.read_text())
    assert (record.pop("score_key"), record["best_epoch"]) == ("fitness", 0)
    state.write_text(json.dumps({**record, "best_score": 0.987, "best_epoch": 0}))
    best = (run / "weights" / "best.params").read_bytes()
    assert main(["train", "--resume", str(run)]) == 0
    assert "epoch 2  VOC07_mAP50 0." in capsys.readouterr().err
    progress = Checkpoint(run / "weights").read()
    assert (progress.score_key, progress.best_score, progress.best_epoch) == ("VOC07_mAP50", 0.987, 0)
    assert (run / "weights" / "best.params").read_bytes() == best


def explode_at(monkeypatch, first: int, rate: float = 1e30) -> None:
    """Make the learning rate huge from a step on, counted from 1."""
    monkeypatch.setattr(Schedule, "__call__", lambda self, step: rate if step >= first else 1e-4)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last(train, monkeypatch, capsys):
    explode_at(monkeypatch, BATCHES + 1)
    status, run = train("--epochs", "3")
    said = capsys.readouterr()
    assert status == 2
    (error,) = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert error.startswith("error: epoch 1, batch 1: the loss is not finite (objectness ")
    assert error.count("scene_000") == BATCH_SIZE
    kept = f"Training stopped; {run}/weights/last keeps the state of epoch 1, batch 0. Try a lower --lr"
    assert kept in error
    assert "Traceback" not in said.err
    assert all(np.isfinite(array).all() for array in parameters(run).values())
    assert len(rows(run)) == 1
    log = (run / "log.txt").read_text()
    assert "ERROR " + error[len("error: ") :] in log and "Traceback" not in log


def test_weights_that_are_not_finite_are_not_saved(train, monkeypatch, capsys):
    explode_at(monkeypatch, 2 * BATCHES, rate=3e38)  # in the last batch of epoch 1: no later loss shows it
    status, run = train("--epochs", "3", "--val-interval", "3")
    assert status == 2
    assert "epoch 1, batch 3: the weights are no longer finite numbers. Training" in capsys.readouterr().err
    assert all(np.isfinite(array).all() for array in parameters(run).values())
    assert Checkpoint(run / "weights").read().epoch == 1


def test_a_huge_learning_rate_of_the_users(train, capsys):
    status, run = train("--lr", "1e30")
    assert status == 2
    said = capsys.readouterr().err
    assert "error: epoch 0, batch 1: the loss is not finite" in said
    assert "Training stopped; nothing was saved before. Try a lower --lr" in said
    assert not Checkpoint(run / "weights").exists()


def test_random_shapes_are_any_and_change_by_the_interval(train, monkeypatch):
    seen = []
    step = TrainStep.__call__
    monkeypatch.setattr(TrainStep, "__call__", lambda *args: seen.append(args[1].size_hw) or step(*args))
    flags = "--batch-size 1 --epochs 2 --val-interval 2 --random-shapes 32,64x96,96x32 --shape-interval 7"
    status, run = train(*shlex.split(flags), base=RANDOM_SHAPE)
    assert status == 0
    # twelve batches an epoch: seven of one size, five of another
    parts = [seen[start:stop] for start, stop in ((0, 7), (7, 12), (12, 19), (19, 24))]
    assert [len(set(part)) for part in parts] == [1] * 4
    assert len(seen) == 24 and len(set(seen)) > 1 and set(seen) <= {(32, 32), (64, 96), (96, 32)}
    sizes = "input 32x32, 64x96, 96x32, a new size every 7 batches; validated at 64x64"
    assert sizes in (run / "log.txt").read_text()


@pytest.mark.devices
def test_two_devices_train_and_validate(train, capsys):
    status, run = train(*shlex.split("--cpu-devices 2 --syncbn --epochs 1"))
    assert status == 0
    assert "devices: cpu(0), cpu(1); batch size 4" in capsys.readouterr().err
    assert len(rows(run)) == 1


def test_processes_train_as_threads_do_and_a_letterboxed_run_is_used_so(train):
    flags = shlex.split('--epochs 2 --mixup --augment "mosaic,light,letterbox" --data-shape 64x96 -j 2')
    threads, processes = (train(*flags, "--worker-type", kind) for kind in ("thread", "process"))
    assert threads[0] == processes[0] == 0
    assert_equal_runs(threads[1], processes[1])
    assert Predictor.load(threads[1]).fit.mode == "letterbox"


def test_mixup_that_is_never_on_is_said(train):
    status, run = train("--epochs", "1", "--mixup")
    assert status == 0
    assert "mixup: never on: the last 20 of 1 epochs go without" in (run / "log.txt").read_text()
