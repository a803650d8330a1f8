"""A run's folder that is deleted or moved while it is trained: said, made anew, nothing lost."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import gluon_yolo
from gluon_yolo.training.callbacks.base import Callback
from gluon_yolo.training.checkpoint import Checkpoint
from tests.small_training import NAME, draw_data, parameters, rows, start_run

FILES = (
    "args.json",
    "config.yaml",
    "data.json",
    "model.json",
    "log.txt",
    "metrics.csv",
    "weights/best.params",
)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Return the data, and a run of it."""
    place = tmp_path_factory.mktemp("undisturbed")
    data = draw_data(place)
    status, run = start_run(data, place, "--epochs", "3")
    assert status == 0
    return data, run


class Deleter(Callback):
    """Deletes or moves the run's folder once, at a hook of the second epoch."""

    def __init__(self, hook, moved=None):
        setattr(self, hook, self._delete)
        self.moved, self.done = moved, False

    def _delete(self, trainer):
        if trainer.epoch == 1 and not self.done:
            self.done = True
            folder = trainer.folder.path
            folder.rename(self.moved) if self.moved else shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("hook", "best"),
    [
        ("on_step_begin", 1),
        # In a test as small as this the first epoch that is validated is the best: the score stays at 0.
        ("on_checkpoint", 2),
    ],
)
def test_a_deleted_folder_is_made_anew_and_the_run_ends_as_undisturbed(
    undisturbed, tmp_path, hook, best, capsys
):
    data, expected = undisturbed
    deleter = Deleter(hook)
    config = str(expected / "config.yaml")
    gluon_yolo.train(config, data_root=str(data), save_prefix=f"{tmp_path}/", callbacks=[deleter])
    run = tmp_path / f"{NAME}-1"
    assert_as_trained(run, expected)
    assert [name for name in FILES if not (run / name).is_file()] == []
    assert not (run / "running.json").exists()
    assert Checkpoint(run / "weights").read().best_epoch == best  # of those whose weights are there
    said = f"{run}: was deleted or moved while it was being trained; it is made anew"
    assert capsys.readouterr().err.count(said) == 1
    log = (run / "log.txt").read_text()
    assert said in log and "epoch 0 " in log and "epoch 2 " in log


@pytest.mark.slow
def test_a_moved_folder_keeps_what_it_had(undisturbed, tmp_path):
    data, expected = undisturbed
    config, moved = str(expected / "config.yaml"), tmp_path / "moved"
    mover = Deleter("on_steps_end", moved)
    gluon_yolo.train(config, data_root=str(data), save_prefix=f"{tmp_path}/", callbacks=[mover])
    assert_as_trained(tmp_path / f"{NAME}-1", expected)
    assert Checkpoint(moved / "weights").read().epoch == 1 and (moved / "weights/best.params").is_file()


def assert_as_trained(run, expected):
    """Compare a run with one that nothing disturbed: its last parameters, and the rows of all epochs."""
    wanted, found = parameters(expected), parameters(run)
    assert wanted.keys() == found.keys() and rows(run) == rows(expected)
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)
