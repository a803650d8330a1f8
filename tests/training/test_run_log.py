"""Run log: the error that ended the run, with the flags of the command line."""

from __future__ import annotations

import pytest

from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.training.run_dir import RunFolder
from gluon_yolo.training.run_log import logging_to

pytestmark = pytest.mark.usefixtures("command_line_log")


@pytest.mark.parametrize(
    "error, said, traceback",
    [
        (SettingError("out of memory, with {batch_size} 4"), "out of memory, with --batch-size 4", False),
        (UserError("a.jpg: broken"), "a.jpg: broken", False),
        (ValueError("a fault of ours"), "a fault of ours", True),
    ],
)
def test_what_ended_a_run_is_in_its_log(tmp_path, error, said, traceback):
    folder = RunFolder(tmp_path)
    with pytest.raises(type(error)), logging_to(folder):
        raise error
    lines = folder.log.read_text().splitlines()
    assert lines[0].endswith(f" ERROR {said}")
    assert ("Traceback (most recent call last):" in lines) == traceback
