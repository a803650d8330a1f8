"""The installed package works from everywhere, the folder above its clone too."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from tests.child import python


def test_a_folder_of_the_same_name_does_not_shadow_it(tmp_path: Path) -> None:
    """As the clone itself does in the folder that it was cloned into."""
    try:
        importlib.metadata.distribution("gluon_yolo")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("gluon_yolo is not installed here: make setup")
    (tmp_path / "gluon_yolo" / "gluon_yolo").mkdir(parents=True)
    script = tmp_path / "script.py"
    script.write_text("from gluon_yolo import Predictor, __version__\nprint(__version__)")
    for words in (["-m", "gluon_yolo", "--version"], [str(script)], ["-c", script.read_text()]):
        done = python(*words, cwd=tmp_path)
        assert done.stdout.split()[-1] == importlib.metadata.version("gluon_yolo")
