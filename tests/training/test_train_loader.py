"""Which images an epoch has, by the settings of a run: close-mosaic."""

from __future__ import annotations

from pathlib import Path

import pytest

from gluon_yolo import Callback
from tests.small_trainer import small_trainer
from tests.small_training import assert_equal_runs, draw_data, start_run

SAMPLED = {"augment": "mosaic,light", "no_mosaic_epochs": 1, "epochs": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return draw_data(tmp_path_factory.mktemp("data"))


class StopsAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, trainer):
        trainer.should_stop = trainer.progress.step == self.step


# In the epoch with mosaic; in the one without.
@pytest.mark.parametrize("step", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_stopped_and_resumed_it_ends_the_same(data, tmp_path, step):
    assert small_trainer(data, tmp_path / "whole", **SAMPLED).run() is not None
    assert small_trainer(data, tmp_path / "run", [StopsAt(step)], **SAMPLED).run() is None
    trainer = small_trainer(data, tmp_path / "run", **SAMPLED)
    trainer.resume()
    assert trainer.run() is not None
    assert_equal_runs(tmp_path / "whole", tmp_path / "run")


def test_the_last_epochs_have_no_mosaic_of_the_trainer(data, tmp_path):
    asked = []
    trainer = small_trainer(data, tmp_path / "run", **{**SAMPLED, "epochs": 3, "no_mosaic_epochs": 2})
    count = trainer.loader.sampler.transform.count
    trainer.loader.sampler.transform.count = lambda rng: asked.append(trainer.epoch) or count(rng)
    assert trainer.run() is not None
    assert set(asked) == {0}


@pytest.mark.parametrize(
    "flags, said",
    [
        ("--augment mosaic,light --no-mosaic-epochs 1", "mosaic: off from epoch 1 on"),
        ("--augment light --no-mosaic-epochs 1", "--no-mosaic-epochs has no effect: --augment light has no"),
        (
            "--augment mosaic,light --no-mosaic-epochs 2",
            "mosaic: never on: the last 2 of 2 epochs go without; ",
        ),
    ],
)
def test_what_is_said(data, tmp_path, flags, said):
    status, run = start_run(data, tmp_path, "--epochs", "2", "--lr", "1e-9", *flags.split())
    assert status == 0 and said in (run / "log.txt").read_text()
