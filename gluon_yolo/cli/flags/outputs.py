"""Outputs: the files and folders that flags name to be written, and what Ctrl-C says of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Callable

from gluon_yolo.outputs import check_outputs, make_folder, write_file

__all__ = ["check_outputs", "make_folder", "saying", "write_file"]


@contextlib.contextmanager
def saying(what: Callable[[], str]) -> Iterator[None]:
    """Let Ctrl-C within the block say more; the program prints it behind ``stopped: `` and ends with 130.

    Args:
        what: called after the block has cleaned up; says what was stopped and what is left on disk.

    Raises:
        KeyboardInterrupt: with these words, in the place of one without.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(what()) from error
