"""Trainings by two processes, as a user starts them: lost processes, signals, resumed runs, callbacks."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="several processes are torch's engine")

from gluon_yolo.mxnet_compat import mx  # noqa: E402
from gluon_yolo.training.checkpoint import Checkpoint  # noqa: E402
from tests.small_training import NAME, ROOT, SMALL, assert_equal_runs, draw_data  # noqa: E402

FLAGS = [*SMALL, "--engine", "torch", "--cpu-devices", "2", "--epochs", "4", "--seed", "5"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that nothing happened to."""
    out = tmp_path_factory.mktemp("whole")
    with train(data, out) as run:
        assert run.wait() == 0, run.said
    return out / f"{NAME}-1"


class train:  # noqa: N801 - read as a command
    """A training in a process of its own; its output is read line by line."""

    def __init__(self, data: Path | None, out: Path, *flags: str) -> None:
        given = ["--data-root", str(data), "--save-prefix", f"{out}/", *FLAGS] if data else []
        command = [sys.executable, "-m", "gluon_yolo", "train", *given, *flags]
        self.said = ""
        self._run = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> train:
        return self

    def __exit__(self, *_: object) -> None:
        if self._run.poll() is None:
            subprocess.run(["pkill", "-KILL", "-s", str(self._run.pid)], check=False)
        self._run.wait()

    @property
    def pid(self) -> int:
        return self._run.pid

    def lines(self) -> Iterator[str]:
        assert self._run.stdout is not None
        for line in self._run.stdout:
            self.said += line
            yield line

    def until(self, pattern: str) -> None:
        """Read on to a line."""
        for line in self.lines():
            if re.search(pattern, line):
                return
        raise AssertionError(f"{pattern} was not said:\n{self.said}")

    def wait(self) -> int:
        for _ in self.lines():
            pass
        return self._run.wait()

    def workers(self) -> list[int]:
        """Return the processes that train: the agent's children, but for Python's resource tracker."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.slow
def test_a_killed_process_costs_nothing_but_time(data: Path, whole: Path, tmp_path: Path) -> None:
    with train(data, tmp_path) as run:
        run.until("^epoch 1 batch 1/3")
        (victim, other) = run.workers()
        subprocess.run(["kill", "-KILL", str(victim)], check=True)
        assert run.wait() == 0, run.said
    assert f"(pid {victim}) was killed by SIGKILL" in run.said, run.said
    assert "all processes start again from the last checkpoint" in run.said
    assert "resuming at epoch 1, batch 0" in run.said
    assert "Traceback" not in run.said
    assert_equal_runs(whole, tmp_path / f"{NAME}-1")
    assert not any(Path(f"/proc/{pid}").exists() for pid in (victim, other))
    assert not list(tmp_path.glob("**/*.part*")) and not (tmp_path / f"{NAME}-1" / "running.json").exists()


@pytest.mark.slow
def test_sigterm_saves_and_the_run_goes_on_to_the_same_bits(data: Path, whole: Path, tmp_path: Path) -> None:
    run_folder = tmp_path / f"{NAME}-1"
    with train(data, tmp_path) as run:
        run.until("^epoch 1 batch 1/3")
        run._run.send_signal(signal.SIGTERM)
        assert run.wait() == 128 + signal.SIGTERM, run.said
    assert run.said.count("SIGTERM: finishing what is under way") == 1
    assert re.search(r"stopped by SIGTERM at epoch 1, batch [123]; go on with: ", run.said)
    shutil.copytree(run_folder, tmp_path / "copy")
    with train(None, tmp_path, "--resume", str(run_folder)) as run:
        assert run.wait() == 0, run.said
    assert_equal_runs(whole, run_folder)
    # mxnet's engine goes on with it, on as many devices or on one.
    for number, flags in enumerate((["--cpu-devices", "2"], ["--cpu-devices", "0", "--gpus", ""])):
        other = shutil.copytree(tmp_path / "copy", tmp_path / f"mxnet-{number}")
        with train(None, tmp_path, "--resume", str(other), "--engine", "mxnet", *flags) as run:
            assert run.wait() == 0, run.said
        progress = Checkpoint(other / "weights").read()
        assert (progress.epoch, progress.batch) == (4, 0)


@pytest.mark.slow
def test_with_averages_it_goes_on_to_the_same_bits(data: Path, tmp_path: Path) -> None:
    words = "--ema --ema-ramp-up 4 --optimizer adamw --wd 0.01"
    flags = [*words.split(), "--epochs", "3"]
    with train(data, tmp_path / "whole", *flags) as run:
        assert run.wait() == 0, run.said
    whole, stopped = (tmp_path / place / f"{NAME}-1" for place in ("whole", "stopped"))
    with train(data, tmp_path / "stopped", *flags) as run:
        run.until("^epoch 1 batch 1/3")
        run._run.send_signal(signal.SIGTERM)
        assert run.wait() == 128 + signal.SIGTERM, run.said
    assert re.search(r"stopped by SIGTERM at epoch 1, batch [23]; go on with: ", run.said)
    with train(None, tmp_path, "--resume", str(stopped)) as run:
        assert run.wait() == 0, run.said
    assert_equal_runs(whole, stopped)
    one, other = (statistics(next((run / "weights" / "last").glob("trained-*"))) for run in (whole, stopped))
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(other[name], array, err_msg=name)


@pytest.mark.slow
def test_a_job_that_a_scheduler_starts_again_goes_on_with_its_run(
    data: Path, whole: Path, tmp_path: Path
) -> None:
    with train(data, tmp_path, "--run-id", "job-7") as run:
        run.until("^epoch 1 batch 1/3")
        subprocess.run(["pkill", "-KILL", "-s", str(run.pid)], check=True)
        run.wait()
    with train(data, tmp_path, "--run-id", "job-7") as run:
        assert run.wait() == 0, run.said
    assert "resuming at epoch 1, batch 0" in run.said
    assert [path.name for path in tmp_path.iterdir()] == [f"{NAME}-1"]
    assert_equal_runs(whole, tmp_path / f"{NAME}-1")
    with train(data, tmp_path, "--run-id", "job-7") as run:
        assert run.wait() == 0, run.said
    assert "finished" in run.said


def statistics(path: Path) -> dict[str, np.ndarray]:
    return {name: array.asnumpy() for name, array in mx.nd.load(str(path)).items()}
