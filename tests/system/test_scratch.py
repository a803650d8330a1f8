"""Scratch folders: gone with their block; what a killed process left goes with the next run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gluon_yolo.exporters.folder_lock import locked_folder
from gluon_yolo.system import scratch
from gluon_yolo.system.folder_lock import try_lock, unlock
from gluon_yolo.system.scratch import owned, remove_left, scratch_folder, temporary_folder

ROOT = Path(__file__).resolve().parents[2]
CHILD = (
    "import os, signal, sys; from pathlib import Path; from gluon_yolo.system.scratch import scratch_folder\n"
)
DYING = CHILD + (
    "with scratch_folder(Path(sys.argv[1]), 'export') as folder:\n"
    " (folder / 'half').write_text('x')\n"
    " os.kill(os.getpid(), signal.SIGKILL)"
)
LIVING = CHILD + "with scratch_folder(Path(sys.argv[1]), 'export'): print('there', flush=True); input()"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def killed(folder):
    """Leave the folder of a process that was killed, and return its name."""
    assert subprocess.run([sys.executable, "-c", DYING, folder], cwd=ROOT).returncode == -signal.SIGKILL
    (name,) = names(folder)
    return name


def test_it_is_there_in_the_block_only(tmp_path):
    with scratch_folder(tmp_path, "export") as folder:
        (folder / "file").write_text("x")
        assert names(tmp_path) == [folder.name] and folder.name.startswith(owned(".export-"))
        with scratch_folder(tmp_path, "export") as other:  # of another thread: both live
            assert names(tmp_path) == sorted([folder.name, other.name])
    assert names(tmp_path) == []
    with pytest.raises(ZeroDivisionError), scratch_folder(tmp_path, "export"):
        raise ZeroDivisionError
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="a process cannot kill itself so there")
def test_what_a_killed_process_left_goes_with_the_next_run_of_its_kind(tmp_path):
    left = killed(tmp_path)
    with scratch_folder(tmp_path, "import"):
        assert left in names(tmp_path)
    with scratch_folder(tmp_path, "export") as folder:
        assert names(tmp_path) == [folder.name]


def test_that_of_a_living_process_stays(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", LIVING, tmp_path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None and child.stdout.readline() == "there\n"
    (living,) = names(tmp_path)
    with scratch_folder(tmp_path, "export"):
        assert living in names(tmp_path)
    child.communicate("\n")
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="a process cannot kill itself so there")
def test_that_of_another_host_and_one_that_is_held_stay(tmp_path, monkeypatch):
    """On a shared disk another host's process cannot be looked at; another container's holds its lock."""
    left = killed(tmp_path)
    monkeypatch.setattr(scratch.platform, "node", lambda: "elsewhere")
    remove_left(tmp_path, ".export-")
    assert names(tmp_path) == [left]
    monkeypatch.undo()
    handle = try_lock(tmp_path / left)
    if handle is not None:
        remove_left(tmp_path, ".export-")
        assert names(tmp_path) == [left]
    unlock(handle)
    remove_left(tmp_path, ".export-")
    assert names(tmp_path) == []


def test_what_is_no_scratch_folder_stays(tmp_path):
    """Among them the folder of an older version, whose name does not say who made it."""
    for name in (".export-abc123", ".export-", "export-a-1-00000000-x", ".export-a-x-00000000-x"):
        (tmp_path / name).mkdir()
    before = names(tmp_path)
    remove_left(tmp_path, ".export-")
    assert names(tmp_path) == before
    remove_left(tmp_path / "absent", ".export-")


def test_a_number_that_another_process_has_now(tmp_path):
    """The name has this process's number, and another start."""
    own = owned(".export-")
    (tmp_path / f"{own}x").mkdir()
    (tmp_path / f"{own[:-9]}00000000-x").mkdir()
    remove_left(tmp_path, ".export-")
    assert names(tmp_path) == [f"{own}x"]


def test_files_go_too(tmp_path):
    """As the parts of a download."""
    own = owned("net.params.")
    (tmp_path / f"{own}x.part").touch()
    (tmp_path / f"{own[:-9]}00000000-x.part").touch()
    (tmp_path / "net.params").touch()
    remove_left(tmp_path, "net.params.")
    assert names(tmp_path) == sorted(["net.params", f"{own}x.part"])


def test_the_folder_of_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"{owned('.gluon_yolo-')[:-9]}00000000-x").mkdir()
    with temporary_folder() as folder:
        assert names(tmp_path) == [folder.parent.name]
        with locked_folder(folder):  # as an export into it does
            pass
    assert names(tmp_path) == []
