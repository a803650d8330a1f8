"""Outputs of a stopped command: what Ctrl-C prints about the work and the files that it leaves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Callable


@contextlib.contextmanager
def saying(what: Callable[[], str]) -> Iterator[None]:
    """Add text to a Ctrl-C within the block. The program prints it after ``stopped: `` and exits with 130.

    Args:
        what: called after the block has cleaned up; returns what was stopped and what is left on disk.

    Raises:
        KeyboardInterrupt: with this text, instead of one without text.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(what()) from error
