"""Profiler: a trace and a table of a run's steps; each in a process of its own, where mxnet's works once."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from gluon_yolo.training.profiler import TABLE, TRACE, Profiler
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


def test_without_steps_it_does_nothing(tmp_path):
    with Profiler(tmp_path, 0) as profiler:
        for _ in range(3):
            profiler.step()
    assert not list(tmp_path.iterdir())


def test_one_step_is_too_few_and_a_second_profile_is_refused_with_a_word(tmp_path):
    code = f"""
import logging, pathlib
from gluon_yolo.mxnet_compat import nd
from gluon_yolo.training.profiler import Profiler
logging.basicConfig(format="%(message)s", level=logging.INFO)
for steps in (1, 3, 3):
    with Profiler(pathlib.Path({str(tmp_path)!r}), 5) as profiler:
        for _ in range(steps):
            nd.ones((2, 2)).asnumpy()
            profiler.step()
"""
    done = python("-c", code)
    said = done.stderr.splitlines()
    assert said[0] == "profile: none: the first step is left out, and there was no other"
    assert said[1].startswith("profile of 2 steps: ")
    assert said[2] == "profile: none: mxnet's profiler has written one in this process, and does so once"
