"""The log of a run: the package's logger, written to a file and printed on the console."""

from __future__ import annotations

import contextlib
import logging
import sys
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Callable

from tqdm import tqdm

from gluon_yolo import atomic_io

_logger = logging.getLogger("gluon_yolo")


class _File(WatchedFileHandler):
    """Writes to the file of a name, also where the one that was opened was deleted or moved since."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message; while there is no folder for the file, it is on the console alone."""
        with contextlib.suppress(OSError):
            super().emit(record)


class _Console(logging.Handler):
    """Prints plain messages on standard error, above a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message unless it is marked ``file_only``; warnings and errors begin with their level."""
        if getattr(record, "file_only", False):
            return
        name = f"{record.levelname.lower()}: " if record.levelno > logging.INFO else ""
        text = name + self.format(record)
        tqdm.write(text.encode("utf-8", "backslashreplace").decode(), file=sys.stderr)


def start_log(path: Path) -> Callable[[], None]:
    """Append the package's log to a file, and print it on the console.

    Until it is stopped, other handlers do not get the messages; the root logger's would print them twice.

    Args:
        path: the file, as ``RunFolder.log``.

    Returns:
        The function that stops it.

    Raises:
        UserError: the file cannot be written.
    """
    with atomic_io.writing(path, "choose a folder that can be written"):
        file = _File(path, encoding="utf-8", errors="backslashreplace")  # for names in bytes
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    handlers = (file, _Console())
    before = _logger.level, _logger.propagate
    _logger.setLevel(logging.INFO)
    _logger.propagate = False
    for handler in handlers:
        _logger.addHandler(handler)

    def stop() -> None:
        for handler in handlers:
            _logger.removeHandler(handler)
            handler.close()
        _logger.setLevel(before[0])
        _logger.propagate = before[1]

    return stop
