"""Profiler: a trace and a table of a run's steps, each in its own process, since mxnet's works only once."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from gluon_yolo.training.callbacks.profiler import TABLE, TRACE, Profiler
from tests.child import python
from tests.small_training import DOOR, NAME, SMALL, draw_data


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return draw_data(tmp_path_factory.mktemp("data"))


def test_steps_of_the_first_epoch_are_recorded(data, tmp_path):
    flags = [*SMALL, *shlex.split("--epochs 2 --profile 1"), "--data-root", str(data)]
    done = python(*DOOR[1:], *flags, "--save-prefix", f"{tmp_path}/")
    run = tmp_path / f"{NAME}-1"
    assert f"profile of 1 steps: {run / TABLE}" in done.stderr and str(run / TRACE) in done.stderr
    assert done.stderr.count("profile of") == 1
    counts = {
        line.split()[0]: int(line.split()[1])
        for line in (run / TABLE).read_text().splitlines()
        if len(line.split()) == 6 and line.split()[1].isdecimal()
    }
    events = json.loads((run / TRACE).read_text())["traceEvents"]
    update = next(name for name in counts if name.endswith("sgd_mom_update"))
    updates = [event for event in events if event.get("name") == update and event["ph"] == "B"]
    assert len(updates) == counts[update]
    assert any("onvolution" in name for name in counts)


@pytest.mark.parametrize("steps, epoch", [(0, 0), (5, 1)], ids=["no steps asked for", "not the first epoch"])
def test_without_steps_it_does_nothing(tmp_path, steps, epoch):
    trainer = standing_at(tmp_path, epoch)
    profiler = Profiler(steps)
    for _ in range(3):
        profiler.on_step_end(trainer)
    profiler.on_steps_end(trainer)
    assert not list(tmp_path.iterdir())


def standing_at(folder: Path, epoch: int = 0) -> SimpleNamespace:
    """Return the trainer's attributes that the profiler uses; the first epoch is 0."""
    config = SimpleNamespace(start_epoch=0)
    return SimpleNamespace(epoch=epoch, config=config, folder=SimpleNamespace(path=folder))


def test_one_step_is_too_few_and_a_second_profile_is_refused_with_a_word(tmp_path):
    code = f"""
import logging, pathlib
from gluon_yolo.mxnet_compat import nd
from gluon_yolo.training.callbacks.profiler import Profiler
from tests.training.callbacks.test_profiler import standing_at
logging.basicConfig(format="%(message)s", level=logging.INFO)
trainer = standing_at(pathlib.Path({str(tmp_path)!r}))
for steps in (1, 3, 3):
    profiler = Profiler(5)
    for _ in range(steps):
        nd.ones((2, 2)).asnumpy()
        profiler.on_step_end(trainer)
    profiler.on_steps_end(trainer)
    profiler.on_train_end(trainer)
"""
    done = python("-c", code)
    said = done.stderr.splitlines()
    assert said[0] == "profile: none: the first step is left out, and there was no other"
    assert said[1].startswith("profile of 2 steps: ")
    assert said[2:] == ["profile: none: mxnet's profiler has written one in this process, and does so once"]
