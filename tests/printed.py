"""Errors and log lines as the command line prints them, where settings have the names of their flags."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest

from gluon_yolo.cli.calling import flag_of
from gluon_yolo.errors import SettingError, SettingText, UserError


def printed(said: str | SettingText | Exception) -> str:
    """Return a text, perhaps with settings by name in braces, or an error as it is printed."""
    if isinstance(said, str):
        said = SettingText(said)
    return said.named(flag_of) if isinstance(said, (SettingError, SettingText)) else str(said)


@contextlib.contextmanager
def refused(match: str = "", kind: type[Exception] = UserError) -> Iterator[pytest.ExceptionInfo]:
    """Demand an error that is printed so."""
    with pytest.raises(kind) as caught:
        yield caught
    assert re.search(match, printed(caught.value)), printed(caught.value)
