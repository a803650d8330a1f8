"""An error about a setting names it, and the command line names its flag."""

from __future__ import annotations

import pytest

from gluon_yolo.cli.calling import flag_of
from gluon_yolo.errors import SettingError


@pytest.mark.parametrize(
    ("message", "setting", "in_python", "on_the_command_line"),
    [
        ("{lr} -1: must be above 0", "lr", "lr -1: must be above 0", "--lr -1: must be above 0"),
        (
            "{label_smooth_factor} 0.3: needs {label_smooth}",
            "label_smooth_factor",
            "label_smooth_factor 0.3: needs label_smooth",
            "--label-smooth-factor 0.3: needs --label-smooth",
        ),
        ("a {1} and {A} stay", "", "a {1} and {A} stay", "a {1} and {A} stay"),
    ],
)
def test_names(message, setting, in_python, on_the_command_line):
    error = SettingError(message)
    assert (error.setting, str(error), error.named(flag_of)) == (setting, in_python, on_the_command_line)
