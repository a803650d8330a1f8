"""Whole trainings by both engines: the same numbers, checkpoints that cross, and every end of a run."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gluon_yolo
from gluon_yolo.cli import main
from gluon_yolo.training.checkpoint import Checkpoint
from gluon_yolo.weights.load import structural_parameters
from tests.child import python
from tests.small_training import (
    BATCH_SIZE,
    BATCHES,
    DOOR,
    NAME,
    RANDOM_SHAPE,
    ROOT,
    SMALL,
    assert_equal_runs,
    parameters,
    rows,
)
from tests.training.test_trainer import KILLED, explode_at

torch = pytest.importorskip("torch", reason="the second engine needs PyTorch")

from tests.training.two_engines import apart  # noqa: E402

# Batch norms are frozen: normalisation over small batches turns rounding into noise. "{}" is the engine.
RECIPE = (
    "--epochs 3 --lr 0.0005 --warmup-epochs 1 --freeze-bn --mixup --no-mixup-epochs 1 --label-smooth --no-wd "
    "--random-shapes 32,64x96,96 --shape-interval 2 --engine {}"
)
TORCH = shlex.split(
    "--epochs 3 --lr 0.0005 --mixup --no-mixup-epochs 1 --label-smooth --no-wd --engine torch"
)


@pytest.fixture(scope="module")
def of_both(train) -> dict[str, Path]:
    """Return a run of each engine, by its name."""
    runs = {}
    for engine in ("mxnet", "torch"):
        status, runs[engine] = train(*shlex.split(RECIPE.format(engine)), base=RANDOM_SHAPE)
        assert status == 0
    return runs


@pytest.fixture(scope="module")
def whole(train) -> Path:
    """Return a run of torch's engine without interruption."""
    status, run = train(*TORCH)
    assert status == 0
    return run


def assert_alike(one: Path, other: Path) -> None:
    """Compare two runs: losses to the six digits that are written, parameters to float32's rounding."""
    for expected, found in zip(rows(one), rows(other)):
        for name in ("objectness", "centre", "scale", "class", "total", "lr"):
            assert float(found[name]) == pytest.approx(float(expected[name]), rel=1e-5), name
    expected, found = parameters(one), parameters(other)
    assert apart(found, expected) < 3e-7  # of their norm; here 6e-8
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=5e-6, err_msg=name)


@pytest.mark.slow
def test_both_engines_train_alike(of_both):
    assert len(rows(of_both["torch"])) == 3
    assert_alike(of_both["mxnet"], of_both["torch"])
    logs = {engine: (run / "log.txt").read_text() for engine, run in of_both.items()}
    assert "devices: cpu(0); batch size 4" in logs["mxnet"] and "engine: mxnet, as --engine" in logs["mxnet"]
    assert "devices: cpu; batch size 4" in logs["torch"] and "engine: torch, as --engine" in logs["torch"]
    scores = [{name: float(row[name]) for name in ("AP", "VOC07_mAP50")} for row in rows(of_both["mxnet"])]
    for row, expected in zip(rows(of_both["torch"]), scores):
        assert {name: float(row[name]) for name in expected} == pytest.approx(expected, abs=1e-4)


def test_a_run_of_torch_has_the_files_of_any_run(of_both):
    files = [
        {
            str(path.relative_to(run))
            for path in run.rglob("*")
            if path.is_file() and path.parent.name != "last"
        }
        for run in of_both.values()
    ]
    assert files[0] == files[1]
    last = [json.loads((run / "weights/last/state.json").read_text()) for run in of_both.values()]
    assert last[0].keys() == last[1].keys() and last[0]["files"].keys() == last[1]["files"].keys()
    assert Checkpoint(of_both["torch"] / "weights").read().step == 3 * BATCHES


@pytest.mark.parametrize("first, second", [("mxnet", "torch"), ("torch", "mxnet")])
def test_a_checkpoint_of_one_engine_is_resumed_by_the_other(of_both, train, send_at, capsys, first, second):
    """In the warm-up's first epoch and after it, whose velocities contain the rates of their time."""
    send_at(signal.SIGTERM, "epoch 1 batch 1/3")
    status, run = train(*shlex.split(RECIPE.format(first)), base=RANDOM_SHAPE)
    assert status == 143
    assert main(["train", "--resume", str(run), "--engine", second]) == 0
    assert f"engine: {second}, as --engine says" in capsys.readouterr().err
    assert_alike(of_both["mxnet"], run)


@pytest.mark.parametrize(
    "number, when, at",
    [
        (signal.SIGTERM, "epoch 1 batch 1/3", (1, 1)),
        pytest.param(signal.SIGINT, "epoch 1  fitness", (2, 0), marks=pytest.mark.slow),  # in the validation
    ],
)
def test_stopped_by_a_signal_and_resumed_it_ends_with_the_same_bits(
    whole,
    train,
    send_at,
    capfd,
    number,
    when,
    at,
):
    send_at(number, when)
    status, run = train(*TORCH)
    assert status == 128 + number
    assert f"stopped by {number.name} at epoch {at[0]}, batch {at[1]}; go on with" in capfd.readouterr().err
    assert main(["train", "--resume", str(run)]) == 0
    assert_equal_runs(whole, run)


@pytest.mark.slow
def test_killed_in_an_epoch_and_resumed_it_ends_with_the_same_bits(whole, data, tmp_path):
    words = ["--data-root", str(data), "--save-prefix", f"{tmp_path}/", *SMALL, *TORCH]
    killed = subprocess.run([sys.executable, "-c", KILLED, *words], cwd=ROOT, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    run = tmp_path / f"{NAME}-1"
    assert Checkpoint(run / "weights").read().epoch == 1
    assert main(["train", "--resume", str(run)]) == 0
    assert_equal_runs(whole, run)


@pytest.mark.slow
def test_a_run_begins_and_ends_the_same(whole, train):
    """The seed decides all: a second run of the same settings has the same bits."""
    status, run = train(*TORCH)
    assert status == 0
    assert_equal_runs(whole, run)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last(train, monkeypatch, capsys):
    explode_at(monkeypatch, BATCHES + 1)
    status, run = train("--epochs", "3", "--engine", "torch")
    assert status == 2
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert error.startswith("error: epoch 1, batch 1: the loss is not finite (objectness ")
    assert error.count("scene_000") == BATCH_SIZE
    assert f"Training stopped; {run}/weights/last keeps the state of epoch 1, batch 0. Try a lower" in error
    assert all(np.isfinite(array).all() for array in parameters(run).values())


@pytest.mark.slow
def test_weights_that_are_not_finite_are_not_saved(train, monkeypatch, capsys):
    explode_at(monkeypatch, 2 * BATCHES, rate=3e38)  # in the last batch of epoch 1: no later loss shows it
    status, run = train("--epochs", "3", "--val-interval", "3", "--engine", "torch")
    assert status == 2
    assert "epoch 1, batch 3: the weights are no longer finite numbers. Training" in capsys.readouterr().err
    assert all(np.isfinite(array).all() for array in parameters(run).values())
    assert Checkpoint(run / "weights").read().epoch == 1


def test_steps_are_profiled_into_the_same_two_files(train, capsys):
    status, run = train("--epochs", "2", "--profile", "1", "--engine", "torch")
    assert status == 0
    table, trace = run / "profile.txt", run / "profile.json"
    said = capsys.readouterr().err
    assert f"profile of 1 steps: {table}, and a trace for https://ui.perfetto.dev: {trace}" in said
    assert said.count("profile of") == 1
    names = {line.split()[0] for line in table.read_text().splitlines() if line.split()}
    assert {"aten::mkldnn_convolution", "aten::_foreach_mul_"} <= names and "# of Calls" in table.read_text()
    events = json.loads(trace.read_text())["traceEvents"]
    assert any("onvolution" in event.get("name", "") for event in events)


@pytest.mark.slow
def test_a_profile_of_the_first_step_alone_is_none(train, capsys):
    status, run = train("--epochs", "1", "--num-samples", "4", "--profile", "--engine", "torch")
    assert status == 0
    assert "profile: none: the first step is left out, and there was no other" in capsys.readouterr().err
    assert not (run / "profile.json").exists()


class Watcher(gluon_yolo.Callback):
    """Keeps a copy of a weight at each step, and at the validation."""

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def _look(self, trainer) -> None:
        self.seen.append(structural_parameters(trainer.net)["heads.levels.0.bias"].data().asnumpy())

    on_train_begin = on_step_end = on_validation_begin = _look


def test_callbacks_see_the_parameters_of_the_last_step(data, tmp_path):
    """Through ``gluon_yolo.train`` with an engine."""
    watcher = Watcher()
    settings = dict(data_shape=64, random_shape=False, batch_size=BATCH_SIZE, pretrained_base="no", epochs=1)
    config = {"network": "mobilenet0_25", "gpus": "", "save_prefix": f"{tmp_path}/", **settings}
    result = gluon_yolo.train(config, data, engine="torch", callbacks=[watcher])
    first, *steps, validated = watcher.seen
    assert len(steps) == BATCHES
    assert all(not np.array_equal(*pair) for pair in zip([first, *steps], steps))
    np.testing.assert_array_equal(validated, steps[-1])
    np.testing.assert_array_equal(validated, parameters(result.folder)["heads.levels.0.bias"])
    assert json.loads((result.folder / "args.json").read_text())["engine"] == "torch"


def test_an_engine_given_anew_leaves_behind_what_only_torch_has(train, send_at, capsys):
    send_at(signal.SIGTERM, "epoch 0 batch 2/3")
    status, run = train("--epochs", "1", "--engine", "torch", "--deterministic")
    assert status == 143
    shutil.copytree(run, run.with_name("copy"))
    assert main(["train", "--resume", str(run), "--engine", "mxnet"]) == 0
    assert (
        main(["train", "--resume", str(run.with_name("copy")), "--engine", "mxnet", "--deterministic"]) == 2
    )
    place = run.with_name("copy") / "args.json"
    said = f"error: {place}: as --deterministic: needs --engine torch; mxnet's engine has no"
    assert said in capsys.readouterr().err


# torch is not installed: as far as Python's import knows.
WITHOUT = """
import sys
class Absent:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
"""


def test_without_torch_its_engine_is_one_sentence_and_mxnets_is_as_ever(data, tmp_path):
    words = ["--data-root", str(data), *SMALL, "--epochs", "1", "--save-prefix", f"{tmp_path}/"]
    code = f"""{WITHOUT}
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "torch" else found(name, *more)
from gluon_yolo.cli import main
print(main(["train", *{words}, "--engine", "torch"]))
print(main(["train", *{words}]))
"""
    done = python("-c", code)
    assert done.stdout.splitlines()[0] == "2"
    assert 'error: torch is not installed: pip install ".[torch]"' in done.stderr
    assert done.stdout.splitlines()[-1] == "0" and "engine:" not in done.stderr
    assert not list(tmp_path.glob("*-2"))


@pytest.mark.slow
def test_the_door_takes_the_flag(data, tmp_path):
    flags = [*SMALL, *shlex.split("--epochs 1 --engine torch"), "--data-root", str(data)]
    done = python(*DOOR[1:], *flags, "--save-prefix", f"{tmp_path}/")
    assert "engine: torch, as --engine says" in done.stderr
