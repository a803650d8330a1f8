"""How two processes end a training together: by hours, by patience, and after a roll-back."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="several processes are torch's engine")

import gluon_yolo  # noqa: E402
from gluon_yolo.training.checkpoint import Checkpoint  # noqa: E402
from tests.models.darknet.small import SMALL  # noqa: E402
from tests.small_training import draw_data, rows  # noqa: E402
from tests.training.processes.test_from_python import settings  # noqa: E402
from tests.training.test_roll_back import Spoils  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a data set, and the cfg of a two-layer network."""
    folder = tmp_path_factory.mktemp("train")
    draw_data(folder)
    (folder / "net.cfg").write_text(SMALL)
    return folder


@pytest.mark.slow
def test_hours_end_all_processes_with_a_validated_epoch_and_more_epochs_go_on(folder: Path, tmp_path: Path):
    """The batch is found too."""
    sampled = {"augment": "mosaic,light", "no_mosaic_epochs": 1}
    given = {**settings(folder, tmp_path, 2), **sampled, "batch_size": "auto", "val_interval": 9}
    result = gluon_yolo.train(**given, hours=1e-6)
    assert result.numbers is not None and result.stopped is None and result.ended.startswith("of 0 s there")
    progress = Checkpoint(result.folder / "weights").read()
    assert (progress.epoch, progress.batch) == (1, 0) and result.args["batch_size"] == 12
    again = gluon_yolo.train(resume=result.folder, hours=9.0, epochs=4)
    assert again.numbers is not None and not again.ended
    assert [row["epoch"] for row in rows(result.folder)] == ["0", "1", "2", "3"]
    assert not gluon_yolo.train(resume=result.folder).trained


@pytest.mark.slow
def test_a_roll_back_of_all_processes(folder: Path, tmp_path: Path):
    """A target of the first process is no number, once; both go back, to the losses of one process."""
    losses = []
    for processes in (1, 2):
        out = tmp_path / str(processes)
        result = gluon_yolo.train(**settings(folder, out, processes), callbacks=[Spoils(1)])
        assert result.numbers is not None
        assert Checkpoint(result.folder / "weights").read().rollbacks == 1
        assert "Rolled back to the weights of epoch 1, batch 0" in (result.folder / "log.txt").read_text()
        losses.append([float(row["total"]) for row in rows(result.folder)])
        rates = [float(row["lr"]) for row in rows(result.folder)]
        assert rates == pytest.approx([1e-4, 5e-5, 5e-5])
    assert len(losses[0]) == 3 and losses[1] == pytest.approx(losses[0], rel=1e-4)
