"""The note of a training: there while it goes on, left by one that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gluon_yolo import running

DYING = "import os, signal, sys; from pathlib import Path; from gluon_yolo import running\n" + (
    "with running.noted(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
)


def test_the_note_is_there_as_long_as_the_training(tmp_path):
    assert running.going_on(tmp_path) is None and running.story(tmp_path) == ""
    with running.noted(tmp_path):
        assert running.going_on(tmp_path) == os.getpid()
        assert running.story(tmp_path).startswith(
            f"it is being trained at this moment (process {os.getpid()}, "
        )
        note = json.loads((tmp_path / "running.json").read_text())
        assert "If no such process is running, it was killed" in note["about"]
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError), running.noted(tmp_path):
        raise ValueError
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="a process cannot kill itself so there")
@pytest.mark.parametrize("reaped", [True, False], ids=["gone", "a zombie"])
def test_a_killed_training_is_told_by_its_note(tmp_path, reaped):
    root = Path(__file__).resolve().parents[1]
    child = subprocess.Popen([sys.executable, "-c", DYING, str(tmp_path)], cwd=root)
    if reaped:
        assert child.wait() == -signal.SIGKILL
    else:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert running.going_on(tmp_path) is None
    story = running.story(tmp_path)
    assert story.startswith("its training was killed, mostly by the system for lack of memory (process ")
    child.wait()


@pytest.mark.parametrize(
    "change, story",
    [
        # a number that another process got since then
        ({"started": "another boot 1"}, "its training was killed, mostly "),
        ({"host": "elsewhere"}, "it was being trained on elsewhere (process "),
    ],
)
def test_a_process_of_the_same_number_is_another(tmp_path, change, story):
    with running.noted(tmp_path):
        note = tmp_path / "running.json"
        note.write_text(json.dumps({**json.loads(note.read_text()), **change}))
        assert running.going_on(tmp_path) is None
        assert running.story(tmp_path).startswith(story)


@pytest.mark.parametrize("text", ["", "[]", '{"process": "x"}'])
def test_a_note_that_is_damaged_stops_nobody(tmp_path, text):
    (tmp_path / "running.json").write_text(text)
    assert running.going_on(tmp_path) is None
    running.story(tmp_path)
