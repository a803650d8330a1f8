"""Whether Python can be started as another process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gluon_yolo.system import interpreter


@pytest.mark.parametrize(
    ("executable", "expected"),
    [
        ("/usr/bin/python3.11", True),
        (r"C:\Python311\pythonw.exe".replace("\\", "/"), True),
        ("/opt/venv/bin/Python", True),  # macOS
        ("/usr/bin/pypy3", True),
        ("/usr/bin/uwsgi", False),  # a program with Python in it: it would be started itself
        ("", False),
        (None, False),
    ],
)
def test_available(executable, expected, monkeypatch):
    monkeypatch.setattr(sys, "executable", executable)
    assert interpreter.available() is expected


def test_a_frozen_program_is_no_interpreter(monkeypatch):
    assert interpreter.available()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert not interpreter.available()


def test_the_process_has_this_package(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    command = interpreter.code("import gluon_yolo._version as found; print(found.__file__)")
    environment = interpreter.environment()
    found = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    from gluon_yolo import _version

    assert found.stdout.strip() == _version.__file__
    assert environment["PYTHONPATH"].split(os.pathsep)[-1] == str(tmp_path)
