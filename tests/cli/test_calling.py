"""The commands in messages depend on how the program was called."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from gluon_yolo.cli import calling

ROOT = Path(__file__).resolve().parents[2]
HINT = "see `gluon-yolo data check PATH`, gluon-yolo demo --model m, runs/gluon-yolo x, GLUON-YOLO"


def typed(monkeypatch, argv0, text=HINT):
    monkeypatch.setattr(sys, "argv", [argv0])
    return calling.typed(text)


def test_from_another_program(monkeypatch):
    assert typed(monkeypatch, "/usr/bin/pytest") == HINT


def test_as_a_program(monkeypatch, tmp_path):
    program = tmp_path / "bin" / "gluon-yolo"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    assert typed(monkeypatch, str(program), "gluon-yolo eval") == "bin/gluon-yolo eval"
    monkeypatch.setenv("PATH", str(program.parent))
    assert typed(monkeypatch, str(program), "gluon-yolo eval") == "gluon-yolo eval"


def test_as_a_module(monkeypatch):
    python = calling.this_python()
    assert typed(monkeypatch, str(ROOT / "gluon_yolo" / "__main__.py")) == (
        f"see `{python} -m gluon_yolo data check PATH`, {python} -m gluon_yolo demo --model m, "
        "runs/gluon-yolo x, GLUON-YOLO"
    )


@pytest.mark.parametrize(
    "text", ["see {} --help", "usage: {} [-h] [--version] COMMAND ...", "{} COMMAND, {} -h"]
)
def test_the_program_alone(monkeypatch, text):
    python = calling.this_python()
    program = f"{python} -m gluon_yolo"
    argv0 = str(ROOT / "gluon_yolo" / "__main__.py")
    assert typed(monkeypatch, argv0, text.format(*["gluon-yolo"] * 2)) == text.format(program, program)
    assert typed(monkeypatch, argv0, "~/.cache/gluon-yolo -h, gluon-yolo-1.0, gluon-yolo.") == (
        "~/.cache/gluon-yolo -h, gluon-yolo-1.0, gluon-yolo."
    )


def test_as_a_script(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    python = calling.this_python()
    assert typed(monkeypatch, "train_yolo3_mobilenet.py", "gluon-yolo demo X, gluon-yolo export Y") == (
        f"{python} demo.py X, {python} -m gluon_yolo export Y"
    )
    monkeypatch.chdir(tmp_path)
    python = calling.this_python()
    monkeypatch.setattr(calling.importlib.metadata, "distribution", absent)
    found = typed(monkeypatch, str(ROOT / "demo.py"), "gluon-yolo train X; gluon-yolo export Y")
    assert found == (
        f"{python} {ROOT}/train_yolo3_mobilenet.py X; PYTHONPATH={ROOT} {python} -m gluon_yolo export Y"
    )


def absent(name):
    raise calling.importlib.metadata.PackageNotFoundError(name)


def test_a_log_says_it_so_too(monkeypatch, caplog):
    monkeypatch.setattr(sys, "argv", [str(ROOT / "gluon_yolo" / "__main__.py")])
    logger = logging.getLogger("gluon_yolo.test_calling")
    calling.translate_log(logger)
    calling.translate_log(logger)
    assert len(logger.filters) == 1
    logger.warning("go on with gluon-yolo train --resume %s", "runs/a")
    logger.warning("%d %%", 7)
    assert caplog.messages == [
        f"go on with {calling.this_python()} -m gluon_yolo train --resume runs/a",
        "7 %",
    ]


@pytest.mark.parametrize(
    "words",
    [["-m", "gluon_yolo", "data", "chekk"], ["demo.py", "--modell", "x"], ["-m", "gluon_yolo", "--verson"]],
)
def test_hints_work_when_pasted(words):
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    if "see " in done.stderr:
        pasted = done.stderr.rpartition("see ")[2].strip()
        again = subprocess.run(pasted, shell=True, cwd=ROOT, capture_output=True, text=True)
        assert again.returncode == 0 and again.stdout.startswith("usage: ")
