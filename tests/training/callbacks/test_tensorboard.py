"""TensorBoard's files, read back by TensorBoard's own reader."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.training.checkpoint import Checkpoint
from tests.small_trainer import small_trainer
from tests.training.callbacks.interruptions import Doing, fail, stop

pytest.importorskip("tensorboardX", reason="tensorboardX is not installed: pip install '.[tensorboard]'")
event_accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator",
    reason="TensorBoard is not installed: pip install -r requirements-tests.txt",
)
SETTINGS = {"tensorboard": True, "jsonl": True, "log_interval": 1, "val_interval": 2}


def read(run: Path):
    every = {event_accumulator.SCALARS: 0, event_accumulator.IMAGES: 0}
    accumulator = event_accumulator.EventAccumulator(str(run / "tensorboard"), size_guidance=every)
    accumulator.Reload()
    return accumulator


def scalars(run: Path) -> dict[str, list[tuple[int, float]]]:
    """Return steps and values by tag, without speeds."""
    accumulator = read(run)
    tags = [tag for tag in accumulator.Tags()["scalars"] if "second" not in tag]
    return {tag: [(event.step, event.value) for event in accumulator.Scalars(tag)] for tag in tags}


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    small_trainer(data, run, **SETTINGS).run()
    return run


def test_the_numbers_of_an_epoch_are_on_disk_before_its_checkpoint(data, tmp_path, monkeypatch):
    found = []

    def save(*args, saved=Checkpoint.save) -> None:
        found.append(scalars(tmp_path / "run")["epoch/loss/total"])
        saved(*args)

    monkeypatch.setattr(Checkpoint, "save", save)
    small_trainer(data, tmp_path / "run", **SETTINGS).run()
    assert [[step for step, _ in each] for each in found] == [[3], [3, 6], [3, 6, 9]]


def test_the_numbers_are_those_of_the_training(whole):
    found = scalars(whole)
    lines = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    steps = [line for line in lines if line["kind"] == "step"]
    epochs = [line for line in lines if line["kind"] == "epoch"]
    assert [step for step, _ in found["lr"]] == list(range(1, 10))
    for name in ("objectness", "centre", "scale", "class"):
        expected = [line["losses"][name] for line in steps]
        np.testing.assert_allclose([value for _, value in found[f"loss/{name}"]], expected, rtol=1e-6)
    assert [step for step, _ in found["epoch/loss/total"]] == [3, 6, 9]
    expected = [line["loss"] for line in epochs]
    np.testing.assert_allclose([value for _, value in found["epoch/loss/total"]], expected, rtol=1e-6)
    assert [step for step, _ in found["val/AP50"]] == [6, 9]
    np.testing.assert_allclose(
        [value for _, value in found["val/AP50"]], [e["metrics"]["AP50"] for e in epochs[1:]], rtol=1e-6
    )


def test_the_images_of_the_validations(whole):
    images = read(whole).Images("val/pictures")
    assert [image.step for image in images] == [6, 9]
    assert images[0].width > 100 and images[0].encoded_image_string.startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.parametrize("action", [stop, fail], ids=["stopped", "failed"])
def test_a_resumed_run_has_each_step_once(data, whole, tmp_path, action):
    run = tmp_path / "run"
    trainer = small_trainer(data, run, [Doing("on_step_end", action)], **SETTINGS)
    if action is fail:
        with pytest.raises(ValueError):
            trainer.run()
    else:
        assert trainer.run() is None
    resumed = small_trainer(data, run, **SETTINGS)
    resumed.resume()
    resumed.run()
    assert len(list((run / "tensorboard").iterdir())) == 2
    np.testing.assert_equal(scalars(run), scalars(whole))  # where nothing is found, thresholds are NaN
