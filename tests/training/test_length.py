"""More epochs, other patience and other hours for a run that is resumed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from gluon_yolo.cli import main
from gluon_yolo.errors import SettingError
from gluon_yolo.training.checkpoint import Checkpoint
from gluon_yolo.training.config import PLAIN_DEFAULTS, TrainConfig
from gluon_yolo.training.length import check_epochs, is_over
from gluon_yolo.training.run_dir import RunFolder
from gluon_yolo.training.state import Progress
from tests.small_training import draw_data, parameters, rows, start_run

COSINE = "--lr-mode cosine --lr 0.001 --augment mosaic,light --no-mosaic-epochs 1".split()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return draw_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def finished(data, tmp_path) -> Path:
    status, run = start_run(data, tmp_path, "--epochs", "2", *COSINE)
    assert status == 0
    return run


PROGRESS = Progress("net", ("a",), 0, epoch=2, schedule={"total_epochs": 5})


@pytest.mark.parametrize(
    "ended, args, kept, over",
    [
        ("", {"epochs": 2}, {"epochs": 2}, True),
        ("", {"epochs": 3}, {"epochs": 2}, False),
        ("", {"epochs": 5}, {"epochs": 5}, False),
        ("enough", {"epochs": 5}, {"epochs": 5}, True),
        ("enough", {"epochs": 5, "patience": 3}, {"epochs": 5, "patience": 3}, True),
        ("enough", {"epochs": 5, "patience": 4}, {"epochs": 5, "patience": 3}, False),
        ("enough", {"epochs": 5, "hours": 2.0}, {"epochs": 5, "hours": 1.0}, False),
        ("enough", {"epochs": 5, "hours": 2.0}, {"epochs": 5}, False),  # of an older version
        ("enough", {"epochs": 9}, {"epochs": 9}, False),  # given before, and then killed
        ("enough", {"epochs": 2, "patience": 4}, {"epochs": 2, "patience": 3}, True),
    ],
)
def test_whether_a_run_is_over(ended, args, kept, over):
    progress = dataclasses.replace(PROGRESS, ended=ended)
    assert is_over(progress, {**PLAIN_DEFAULTS, **args}, kept) is over


def test_fewer_epochs_are_refused():
    check_epochs({"epochs": 3}, {"epochs": 3}, "r")
    check_epochs({}, {"epochs": 3}, "r")
    with pytest.raises(SettingError, match="epochs 2: the run has 3, and a resumed run can only be given mo"):
        check_epochs({"epochs": 2}, {"epochs": 3}, "r")


def test_more_epochs_of_a_finished_run(finished, tmp_path, capsys):
    before = rows(finished)
    assert main(["train", "--resume", str(finished), "--epochs", "4"]) == 0
    assert "done: best weights" in capsys.readouterr().out
    assert rows(finished)[:2] == before and [row["epoch"] for row in rows(finished)] == ["0", "1", "2", "3"]
    rates = [float(row["lr"]) for row in rows(finished)]
    # Cosines of 6 and of 12 steps, at the last step of each epoch.
    assert rates == pytest.approx([0.0005, 0, 0.001 * 0.1464466, 0], abs=2e-4)
    assert rates[1] < 1e-6 < rates[2] > rates[3]
    said = "4 epochs in the place of 2: the learning rate is that of a training of 4 epochs, at epoch 2, "
    log = (finished / "log.txt").read_text()
    assert f"{said}batch 0: 0.000" in log and ", after 0 at the last step" in log
    assert log.count("mosaic: off from epoch 1 on") == log.count("mosaic: off from epoch 3 on") == 1
    assert RunFolder.open(finished).args()["epochs"] == TrainConfig.load(finished / "config.yaml").epochs == 4
    assert Checkpoint(finished / "weights").read().schedule["total_epochs"] == 4
    assert main(["train", "--resume", str(finished)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "finished: all 4 epochs are trained" in said[0]
    assert said[2] == f"or give it more epochs: gluon-yolo train --resume {finished} --epochs 8"


@pytest.mark.slow
def test_stopped_after_it_has_more_epochs_it_ends_the_same(finished, tmp_path, capsys):
    """The run is resumed twice, or once; the second time without a flag."""
    import shutil

    other = tmp_path / "other"
    shutil.copytree(finished, other)
    assert main(["train", "--resume", str(finished), "--epochs", "4"]) == 0
    assert main(["train", "--resume", str(other), "--epochs", "4", "--hours", "0.0000001"]) == 0
    assert Checkpoint(other / "weights").read().epoch == 3
    capsys.readouterr()
    assert main(["train", "--resume", str(other)]) == 0
    assert "it ended before its 4 epochs" in capsys.readouterr().out
    assert main(["train", "--resume", str(other), "--hours", "9"]) == 0
    assert rows(other) == rows(finished)
    one, two = parameters(finished), parameters(other)
    assert all((one[name] == two[name]).all() for name in one)


def test_fewer_epochs_of_a_finished_run(finished, capsys):
    state = (finished / "weights" / "last" / "state.json").read_bytes()
    assert main(["train", "--resume", str(finished), "--epochs", "1"]) == 2
    said = capsys.readouterr().err
    assert "error: --epochs 1: the run has 2, and a resumed run can only be given more: " in said
    assert f"start a new run from its weights: --weights {finished} --epochs 1" in said
    assert (finished / "weights" / "last" / "state.json").read_bytes() == state
