"""The note of a training: there while it goes on, left by one that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.system import memory, process, run_note
from gluon_yolo.system.control_groups import read

DYING = "import os, signal, sys; from pathlib import Path; from gluon_yolo.system import run_note\n" + (
    "with run_note.noted(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
)


def test_the_note_is_there_as_long_as_the_training(tmp_path):
    assert run_note.going_on(tmp_path) is None and run_note.story(tmp_path) == ""
    with run_note.noted(tmp_path):
        assert run_note.going_on(tmp_path) == os.getpid()
        assert run_note.story(tmp_path).startswith(
            f"it is being trained at this moment (process {os.getpid()}, "
        )
        note = json.loads((tmp_path / "running.json").read_text())
        assert "If no such process is running, it was killed" in note["about"]
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError), run_note.noted(tmp_path):
        raise ValueError
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="a process cannot kill itself so there")
@pytest.mark.parametrize("reaped", [True, False], ids=["gone", "a zombie"])
def test_a_killed_training_is_told_by_its_note(tmp_path, reaped):
    root = Path(__file__).resolve().parents[2]
    child = subprocess.Popen([sys.executable, "-c", DYING, str(tmp_path)], cwd=root)
    if reaped:
        assert child.wait() == -signal.SIGKILL
    else:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert run_note.going_on(tmp_path) is None
    story = run_note.story(tmp_path)
    assert story.startswith("its training was killed, probably by the system for lack of memory (process ")
    child.wait()


@pytest.mark.parametrize(
    "change, story",
    [
        # a number that another process got since then
        ({"started": "another boot 1"}, "its training was killed, probably "),
        ({"host": "elsewhere"}, "it was being trained on elsewhere (process "),
    ],
)
def test_a_process_of_the_same_number_is_another(tmp_path, change, story):
    with run_note.noted(tmp_path):
        note = tmp_path / "running.json"
        note.write_text(json.dumps({**json.loads(note.read_text()), **change}))
        assert run_note.going_on(tmp_path) is None
        assert run_note.story(tmp_path).startswith(story)


@pytest.mark.parametrize("text", ["", "[]", '{"process": "x"}'])
def test_a_note_that_is_damaged_stops_nobody(tmp_path, text):
    (tmp_path / "running.json").write_text(text)
    assert run_note.going_on(tmp_path) is None
    run_note.story(tmp_path)


def test_a_killed_training_comes_with_the_way_on_where_it_is_asked_for(tmp_path):
    folder = tmp_path / "my run"
    folder.mkdir()
    with run_note.noted(folder, lambda text: text.replace("gluon-yolo", "python -m gluon_yolo")):
        note = folder / "running.json"
        record = json.loads(note.read_text())
        assert "`python -m gluon_yolo train --resume FOLDER` goes on with it" in record["about"]
        assert "--resume" not in run_note.story(folder, advised=True)  # it is going on
        note.write_text(json.dumps({**record, "started": "another boot 1"}))
        assert run_note.story(folder, advised=True).endswith(
            f"); go on with: gluon-yolo train --resume '{folder}'"
        )
        assert "--resume" not in run_note.story(folder)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux")
def test_a_process_whose_name_is_cut_within_a_letter(tmp_path):
    """Linux keeps 15 bytes of a name: here the last is half of a letter."""
    name = b"entra__nnnnnnn\xc3"
    code = f"import sys, time; from ctypes import CDLL; CDLL(None).prctl(15, {name!r})"
    code += "; print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        try:
            child.stdout.readline()
            with pytest.raises(UnicodeDecodeError):
                Path(f"/proc/{child.pid}/stat").read_text(encoding="utf-8")
            (tmp_path / "running.json").write_text(json.dumps(process.identity(child.pid)))
            assert run_note.going_on(tmp_path) == child.pid
            assert memory.resident() and "\ufffd" in read(Path(f"/proc/{child.pid}/status"))
        finally:
            child.kill()


@pytest.fixture
def without_proc(tmp_path, monkeypatch):
    """As macOS and Windows, which keep no files of their processes."""
    monkeypatch.setattr(process, "_PROC", tmp_path / "proc")


@pytest.mark.parametrize("error, there", [(None, True), (PermissionError, True), (ProcessLookupError, False)])
def test_where_no_file_tells_of_processes_a_signal_asks(without_proc, tmp_path, monkeypatch, error, there):
    asked = []

    def kill(number: int, signal: int) -> None:
        asked.append((number, signal))
        if error:
            raise error

    monkeypatch.setattr(os, "kill", kill)
    with run_note.noted(tmp_path):
        assert run_note.going_on(tmp_path) == os.getpid() and not asked  # of itself it need not ask
        note = tmp_path / "running.json"
        note.write_text(json.dumps({**json.loads(note.read_text()), "process": 4321}))
        assert run_note.going_on(tmp_path) == (4321 if there else None)
    assert asked == [(4321, 0)]


@pytest.mark.parametrize("there", [True, False])
def test_on_windows_no_signal_is_sent(without_proc, tmp_path, monkeypatch, there):
    monkeypatch.setattr(os, "kill", lambda *given: pytest.fail("a signal of 0 is Ctrl-C there"))
    monkeypatch.setattr(process, "_windows_has", lambda number: there)
    with run_note.noted(tmp_path):
        note = tmp_path / "running.json"
        note.write_text(json.dumps({**json.loads(note.read_text()), "process": 4321}))
        with monkeypatch.context() as windows:
            windows.setattr(process, "ON_WINDOWS", True)
            assert run_note.going_on(tmp_path) == (4321 if there else None)


def test_of_two_trainings_that_begin_at_once_the_second_is_refused(tmp_path):
    """Both have looked before either had its note there; the later note replaced the earlier one."""
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    note = tmp_path / "running.json"
    note.write_text(json.dumps({**process.identity(child.pid), "since": "now"}))
    try:
        with pytest.raises(
            UserError, match=rf"being trained at this moment \(process {child.pid}, begun now"
        ):
            with run_note.noted(tmp_path):
                pass
        assert json.loads(note.read_text())["process"] == child.pid  # the first one's note stays
    finally:
        child.communicate()
    with run_note.noted(tmp_path):  # it has ended
        assert run_note.going_on(tmp_path) == os.getpid()
