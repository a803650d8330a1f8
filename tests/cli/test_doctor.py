"""What ``doctor`` says of a machine that is ready, and of one that is not."""

from __future__ import annotations

import sys

import pytest

from gluon_yolo import cli


def test_this_machine_is_ready(capsys):
    assert cli.main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "a small convolution ran" in said
    assert said.splitlines()[-1].startswith("verdict: ready to train on the CPU")


@pytest.mark.parametrize(
    ("absent", "said"),
    [
        ("mxnet", "mxnet is not installed: run `make setup`"),
        ("cv2", "cv2 is not installed: pip install opencv-python (needed to train)"),
    ],
)
def test_without_a_package_it_says_what_to_install(monkeypatch, capsys, absent, said):
    monkeypatch.setitem(sys.modules, absent, None)  # import now raises ModuleNotFoundError
    monkeypatch.delitem(sys.modules, "gluon_yolo.compat", raising=False)
    assert cli.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert said in out
    assert out.splitlines()[-1].startswith("verdict: not ready to train")
