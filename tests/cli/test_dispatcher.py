"""The command line's dispatcher: commands, errors and exit statuses."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from gluon_yolo import cli
from gluon_yolo.cli.flags.outputs import saying
from gluon_yolo.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


def command(monkeypatch, run):
    """Replace the command ``synth``."""
    module = types.ModuleType("gluon_yolo.cli.synth")
    module.HELP, module.add_arguments, module.run = (
        "A stand-in.",
        lambda parser: parser.add_argument("--n", type=int),
        run,
    )
    monkeypatch.setitem(sys.modules, module.__name__, module)


def test_a_command_gets_its_arguments_and_gives_its_status(monkeypatch):
    command(monkeypatch, lambda args: args.n)
    assert cli.main(["synth", "--n", "7"]) == 7


def test_a_users_error_is_one_line_and_status_2(monkeypatch, capsys):
    def run(args):
        raise UserError("classes.txt: line 3 is empty; remove it")

    command(monkeypatch, run)
    assert cli.main(["synth"]) == 2
    assert capsys.readouterr().err == "error: classes.txt: line 3 is empty; remove it\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ModuleNotFoundError("No module named 'cv2'", name="cv2"),
            "error: cv2 is not installed: pip install opencv-python",
        ),
        (
            ImportError("libGL.so.1: cannot open shared object file: No such file or directory", name="cv2"),
            "error: OpenCV does not load, since libGL.so.1 is missing: apt-get install libgl1 ",
        ),
    ],
)
def test_a_missing_package_is_one_line(monkeypatch, capsys, error, said):
    def run(args):
        raise error

    command(monkeypatch, run)
    assert cli.main(["synth"]) == 2
    assert capsys.readouterr().err.startswith(said)


def test_our_own_broken_import_keeps_its_traceback(monkeypatch):
    def run(args):
        raise ImportError("cannot import name 'x'", name="gluon_yolo.boxes")

    command(monkeypatch, run)
    with pytest.raises(ImportError):
        cli.main(["synth"])


def test_ctrl_c_is_status_130(monkeypatch, capsys):
    def run(args):
        raise KeyboardInterrupt

    command(monkeypatch, run)
    assert cli.main(["synth"]) == 130


@pytest.mark.parametrize("argv", [[], ["--help"]])
def test_help_lists_each_command(capsys, argv):
    with pytest.raises(SystemExit) as stop:
        cli.main(argv)
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert all(f"  {name} " in said or f"  {name}\n" in said for name in cli.COMMANDS)


def test_an_unknown_command_names_the_known(capsys):
    assert cli.main(["trian"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: COMMAND trian: did you mean train? there is doctor, quickstart, ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_each_command_is_there_and_explains_itself(capsys, name):
    assert importlib.util.find_spec(cli.module_of(name)) is not None
    with pytest.raises(SystemExit) as stop:
        cli.main([name, "--help"])
    assert stop.value.code == 0
    assert f"usage: gluon-yolo {name}" in capsys.readouterr().out


def test_output_that_nobody_reads_any_more_ends_quietly():
    code = (
        "import sys, gluon_yolo.cli as cli; from gluon_yolo.cli import main; "
        "cli.run_command = lambda *words: [print('x' * 100) for _ in range(100_000)] and 0; "
        "sys.exit(main(['doctor']))"
    )
    made = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    assert made.stdout is not None and made.stderr is not None
    made.stdout.readline()
    made.stdout.close()
    assert made.stderr.read() == b"" and made.wait(30) == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_line():
    """The output itself is on the full disk."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "gluon_yolo", "data"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
    assert (done.returncode, done.stderr) == (2, "error: the output: the disk is full; make room\n")


@pytest.mark.parametrize(
    ("number", "file", "said"),
    [
        (errno.ENOSPC, "a/b.json", "a/b.json: the disk is full; make room"),
        (errno.EDQUOT, "a/b.json", "a/b.json: the disk is full; make room"),
        (
            errno.EIO,
            "a/b.json",
            "a/b.json: input/output error: the disk that it is on, or its connection, fails",
        ),
        (errno.EROFS, "a/b.json", "a/b.json: the file system that it is on is read-only"),
        (errno.EIO, None, "the output: input/output error: the disk that it is on, or its connection, fails"),
    ],
)
def test_a_disk_that_fails_is_one_line(number, file, said, monkeypatch, capsys):
    def run(args):
        raise OSError(number, os.strerror(number), file)

    command(monkeypatch, run)
    monkeypatch.setattr(cli, "_discard_output", lambda: None)
    assert cli.main(["synth"]) == 2
    assert capsys.readouterr().err == f"error: {said}\n"


def test_other_errors_of_the_system_keep_their_traceback(monkeypatch):
    def run(args):
        raise OSError(errno.EBADF, "Bad file descriptor")

    command(monkeypatch, run)
    with pytest.raises(OSError, match="Bad file descriptor"):
        cli.main(["synth"])


def test_ctrl_c_may_say_more(monkeypatch, capsys):
    """The text is computed after the block has cleaned up."""
    left = ["a file"]

    def run(args):
        with saying(lambda: f"synth; {len(left)} files are left"), contextlib.ExitStack() as stack:
            stack.callback(left.clear)
            raise KeyboardInterrupt

    command(monkeypatch, run)
    assert cli.main(["synth"]) == 130
    assert capsys.readouterr().err == "stopped: synth; 0 files are left\n"
