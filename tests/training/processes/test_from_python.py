"""``gluon_yolo.train`` with several processes: callbacks, results, and errors as they are with one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="several processes are torch's engine")

import gluon_yolo  # noqa: E402
from gluon_yolo.training.checkpoint import Checkpoint  # noqa: E402
from tests.models.darknet.small import SMALL  # noqa: E402
from tests.small_training import draw_data, rows  # noqa: E402
from tests.training.processes.callbacks_of_a_test import Faster  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a data set, and the cfg of a two-layer network."""
    folder = tmp_path_factory.mktemp("train")
    draw_data(folder)
    (folder / "net.cfg").write_text(SMALL)
    return folder


def settings(folder: Path, out: Path, processes: int) -> dict:
    given = {"network": str(folder / "net.cfg"), "data": folder / "shapes", "gpus": "", "batch_size": 4}
    given = {**given, "pretrained_base": "no", "epochs": 3, "syncbn": True, "num_workers": 1, "lr": 1e-4}
    return {**given, "engine": "torch", "cpu_devices": processes, "save_prefix": f"{out}/"}


@pytest.mark.slow
def test_callbacks_are_called_in_one_process_and_count_for_all(folder: Path, tmp_path: Path) -> None:
    """A rate that a callback sets is that of all processes, so that the losses are those of one process."""
    results, losses = [], []
    for processes in (1, 2):
        out = tmp_path / str(processes)
        out.mkdir()
        callback = Faster(out, last_epoch=1)
        results.append(gluon_yolo.train(**settings(folder, out, processes), callbacks=[callback]))
        assert len(list(out.glob("began-*"))) == 1
        progress = Checkpoint(results[-1].folder / "weights").read()
        assert (progress.epoch, progress.batch, progress.step) == (2, 0, 6)
        losses.append([float(row["total"]) for row in rows(results[-1].folder)])
    assert len(losses[0]) == 2 and losses[1] == pytest.approx(losses[0], rel=1e-4)
    for result in results:
        assert (result.numbers, result.stopped, result.trained) == (None, None, True)
        assert result.score_key == "fitness" and result.best_score is not None
    assert results[1].args["cpu_devices"] == 2


@pytest.mark.slow
def test_an_error_of_a_callback_is_raised_as_it_is(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="^no disk for the plot$") as caught:
        gluon_yolo.train(**settings(folder, tmp_path, 2), callbacks=[Faster(tmp_path, 0, fails=True)])
    assert "in process 0:" in str(caught.value.__cause__)
    (log,) = tmp_path.glob("*/log.txt")
    assert "the callback Faster failed in on_epoch_end (ValueError: no disk for the plot)" in log.read_text()
    assert "Traceback" in log.read_text()


@pytest.mark.parametrize(
    ("program", "said"),
    [
        pytest.param(
            "gluon_yolo.train(**settings)",
            "each process imports it: put what starts the training under",
            marks=pytest.mark.slow,
        ),
        ("if __name__ == '__main__':\n    print(gluon_yolo.train(**settings).args['cpu_devices'])", "2"),
    ],
)
def test_a_program_that_trains(folder: Path, tmp_path: Path, program: str, said: str) -> None:
    given = {**settings(folder, tmp_path, 2), "data": str(folder / "shapes"), "epochs": 1}
    script = tmp_path / "program.py"
    script.write_text(f"import gluon_yolo\nsettings = {given!r}\n{program}\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=ROOT, capture_output=True, text=True, env=environment, timeout=300
    )
    printed = done.stdout.strip() if done.returncode == 0 else done.stderr
    assert said in printed, done.stdout + done.stderr
