"""log.jsonl of real trainings: whole, interrupted, killed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gluon_yolo.training.callbacks import jsonl
from tests.small_trainer import small_trainer
from tests.small_training import BATCHES
from tests.training.callbacks.interruptions import Doing, fail, stop

LOSSES = {"objectness", "centre", "scale", "class"}


def records(run: Path) -> list[dict]:
    """Return the lines without what depends on the clock."""
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    timed = ("time", "seconds", "pictures_per_second")
    clocks = ("seconds", "pictures_per_second")
    for record in found:
        assert record["time"].endswith("Z")
        for name in timed:
            record.pop(name, None)
        for name in clocks:  # of the validation
            record.get("metrics", {}).pop(name, None)
    return found


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    small_trainer(data, run, jsonl=True, log_interval=2, val_interval=2).run()
    return run


def test_the_lines_of_a_training(whole):
    found = records(whole)
    # Three epochs of three batches; a line for two steps; the second and the last epoch are validated.
    assert [(each["kind"], each["epoch"], each["step"]) for each in found] == [
        ("step", 0, 2),
        ("epoch", 0, 3),
        ("step", 1, 4),
        ("step", 1, 6),
        ("epoch", 1, 6),
        ("step", 2, 8),
        ("epoch", 2, 9),
    ]
    for each in found:
        assert set(each["losses"]) == LOSSES and each["loss"] == pytest.approx(sum(each["losses"].values()))
    epochs = [each for each in found if each["kind"] == "epoch"]
    assert [bool(each["metrics"]) for each in epochs] == [False, True, True]
    assert {"AP", "AP50", "fitness", "VOC07_mAP50"} <= set(epochs[1]["metrics"])
    assert "per_class" not in epochs[1]["metrics"]
    best = epochs[2]["best"]
    assert best["score_key"] == "fitness" and best["epoch"] in (1, 2) and epochs[0]["best"] is None
    steps = [each for each in found if each["kind"] == "step"]
    assert {each["steps"] for each in steps} == {2}


@pytest.mark.parametrize("action", [stop, fail], ids=["stopped", "failed"])
def test_a_resumed_run_has_the_lines_of_a_whole_one(data, whole, tmp_path, action):
    """A stopped run goes on within the epoch, a failed one from the last whole epoch."""
    run = tmp_path / "run"
    settings = {"jsonl": True, "log_interval": 2, "val_interval": 2}
    trainer = small_trainer(data, run, [Doing("on_step_end", action)], **settings)
    if action is fail:
        with pytest.raises(ValueError):
            trainer.run()
    else:
        assert trainer.run() is None
    assert 0 < len(records(run)) < 7
    with (run / "log.jsonl").open("a") as file:
        file.write('{"kind": "step", "st')  # a kill within a line
    resumed = small_trainer(data, run, **settings)
    resumed.resume()
    resumed.run()
    assert records(run) == records(whole)


def test_scalars_are_numbers_of_json():
    import numpy as np

    result = {"AP": np.float64(0.5), "pictures": 3, "per_class": {}, "name": "x", "flag": True, "list": [1]}
    assert jsonl.scalars(result) == {"AP": 0.5, "pictures": 3}


def test_batches_of_the_small_training():
    assert BATCHES == 3  # the numbers above are counted for it
