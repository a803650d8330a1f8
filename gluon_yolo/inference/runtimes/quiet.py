"""Quiet: the standard output is the program's own, whatever a runtime's C library prints there."""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import TextIO

log = logging.getLogger("gluon_yolo")

OUTPUT = 1  # the standard output's file descriptor
# How lines begin that say nothing which anybody could act on: of the processor, and of a file that we name.
CHATTER = ("The device supports:", "CPU Group:", "Invalidate buffer to create MNN Module")
_lock = threading.RLock()


@contextlib.contextmanager
def output_kept() -> Iterator[None]:
    """Keep what C libraries print meanwhile off the standard output.

    ``CHATTER`` is dropped, other lines go to the standard error stream in the end. What Python prints
    meanwhile, in whichever thread, stays on the standard output. One thread at a time is inside; where the
    standard output is closed nothing is done.
    """
    with _lock:
        try:
            kept = os.dup(OUTPUT)
        except OSError:
            yield
            return
        try:
            with tempfile.TemporaryFile() as caught:
                with _python_prints_to(kept):
                    _flush_c()
                    os.dup2(caught.fileno(), OUTPUT)
                    try:
                        yield
                    finally:
                        _flush_c()
                        os.dup2(kept, OUTPUT)
                caught.seek(0)
                _pass_on(caught.read())
        finally:
            os.close(kept)


@contextlib.contextmanager
def _python_prints_to(descriptor: int) -> Iterator[None]:
    """Let ``sys.stdout`` write there, where it would write to the standard output's descriptor."""
    before = sys.stdout
    if not _is_standard(before):
        yield
        return
    before.flush()
    with open(
        descriptor, "w", encoding=before.encoding, errors=before.errors, buffering=1, closefd=False
    ) as own:
        sys.stdout = own
        try:
            yield
        finally:
            if sys.stdout is own:
                sys.stdout = before


def _is_standard(stream: TextIO | None) -> bool:
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == OUTPUT
    except (OSError, ValueError):  # closed
        return False


def _flush_c() -> None:
    """Write out what C's own buffers hold."""
    with contextlib.suppress(OSError, TypeError):  # no C library by that name: Windows
        ctypes.CDLL(None).fflush(None)


def _pass_on(caught: bytes) -> None:
    for line in caught.decode(errors="replace").splitlines():
        if line.startswith(CHATTER) or not line.strip():
            log.debug("%s", line)
        elif sys.stderr is not None:
            print(line, file=sys.stderr)
