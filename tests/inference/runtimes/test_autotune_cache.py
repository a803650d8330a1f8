"""The cache of autotune, and the load of a machine."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from gluon_yolo.inference.runtimes import autotune_cache
from gluon_yolo.inference.runtimes.autotune_cache import Choice


def test_load_is_a_share_of_the_cores(monkeypatch):
    monkeypatch.setattr(autotune_cache.os, "getloadavg", lambda: (3.0, 1.0, 0.5), raising=False)
    monkeypatch.setattr(autotune_cache, "physical_cores", lambda: 4)
    assert autotune_cache.load() == 0.75
    monkeypatch.delattr(autotune_cache.os, "getloadavg")
    assert autotune_cache.load() is None


@pytest.mark.parametrize(
    ("load", "steady", "trusted"),
    [(None, True, True), (0.5, True, True), (0.51, True, False), (0.0, False, False)],
)
def test_trusted(load, steady, trusted):
    assert Choice("mnn", {}, 0.0, load, steady).trusted is trusted


def test_written_and_read(tmp_path):
    choice = Choice("mnn", {"mnn": 1.5, "ncnn": 2.0}, 1.8e9, None, False)
    autotune_cache.write(tmp_path / "new" / "choice.json", choice)
    assert autotune_cache.read(tmp_path / "new" / "choice.json") == choice
    assert autotune_cache.read(tmp_path / "none.json") is None


def test_a_process_waits_for_another_that_measures(tmp_path):
    code = (
        "import sys; from pathlib import Path; from gluon_yolo.inference.runtimes import autotune_cache\n"
        f"with autotune_cache.one_at_a_time(Path({str(tmp_path / 'new')!r})):\n"
        "    print('inside', flush=True); sys.stdin.read()\n"
    )
    words = [sys.executable, "-c", code]
    other = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "inside\n"
    entered = threading.Event()

    def enter():
        with autotune_cache.one_at_a_time(tmp_path / "new"):
            entered.set()

    thread = threading.Thread(target=enter)
    thread.start()
    assert not entered.wait(0.3)
    other.kill()  # a process that is killed lets go, too
    other.communicate()
    thread.join(60)
    assert entered.is_set()


def test_where_no_folder_can_be_made_the_threads_still_wait(tmp_path):
    (tmp_path / "file").touch()
    with autotune_cache.one_at_a_time(tmp_path / "file" / "new"):
        assert not autotune_cache._measuring.acquire(blocking=False)
    assert autotune_cache._measuring.acquire(blocking=False)
    autotune_cache._measuring.release()
