"""Naming: an error about a setting, said with its flag."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from gluon_yolo.cli import flag_of
from gluon_yolo.errors import SettingError, UserError


@contextlib.contextmanager
def as_flags() -> Iterator[None]:
    """Turn an error about a setting within the block into one that names the setting's flag.

    Raises:
        UserError: as the work within does.
    """
    try:
        yield
    except SettingError as error:
        raise UserError(error.named(flag_of)) from error
