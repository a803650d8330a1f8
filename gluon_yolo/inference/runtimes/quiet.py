"""Keep a runtime's C library off the standard output, and its useless messages off the error stream too."""

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

OUTPUT, ERRORS = 1, 2  # file descriptors of the standard output and error stream
# Beginnings of lines that are of no use: about the CPU, and about a file that the error message names.
CHATTER = (
    "The device supports:",
    "CPU Group:",
    "Invalidate buffer to create MNN Module",
    "INFO: Created TensorFlow Lite XNNPACK delegate",
    "INFO: Initialized TensorFlow Lite runtime",
    "[libprotobuf ERROR",
)
_lock = threading.RLock()


@contextlib.contextmanager
def output_kept(descriptor: int = OUTPUT) -> Iterator[None]:
    """Redirect what C libraries print to the standard output, or to the standard error stream.

    ``CHATTER`` is dropped; other lines are written to the standard error stream at the end of the block. What
    Python prints to the standard output in the meantime, in any thread, still goes there. Only one thread at
    a time is inside. With a closed stream this does nothing.

    Args:
        descriptor: ``OUTPUT`` or ``ERRORS``.
    """
    with _lock:
        try:
            kept = os.dup(descriptor)
        except OSError:
            yield
            return
        try:
            with tempfile.TemporaryFile() as caught:
                with _python_prints_to(kept) if descriptor == OUTPUT else contextlib.nullcontext():
                    _flush_c()
                    os.dup2(caught.fileno(), descriptor)
                    try:
                        yield
                    finally:
                        _flush_c()
                        os.dup2(kept, descriptor)
                caught.seek(0)
                _pass_on(caught.read())
        finally:
            os.close(kept)


@contextlib.contextmanager
def _python_prints_to(descriptor: int) -> Iterator[None]:
    """Redirect ``sys.stdout`` to a descriptor, if it uses the standard output's descriptor."""
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
    except (OSError, ValueError):  # a closed stream
        return False


def _flush_c() -> None:
    """Flush C's own buffers."""
    with contextlib.suppress(OSError, TypeError):  # Windows has no C library by that name
        ctypes.CDLL(None).fflush(None)


def _pass_on(caught: bytes) -> None:
    for line in caught.decode(errors="replace").splitlines():
        if line.startswith(CHATTER) or not line.strip():
            log.debug("%s", line)
        elif sys.stderr is not None:
            print(line, file=sys.stderr)
