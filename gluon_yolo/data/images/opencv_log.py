"""OpenCV's log, which goes to standard error past Python's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import cv2


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Switch OpenCV's log off: errors of opening and reading are reported otherwise."""
    opencv: Any = cv2  # its type stubs follow its version too
    log = opencv if hasattr(opencv, "setLogLevel") else getattr(opencv.utils, "logging", None)  # from 4.14 on
    if log is None:  # before OpenCV 4.5.5
        yield
        return
    before = log.getLogLevel()
    log.setLogLevel(0)
    try:
        yield
    finally:
        log.setLogLevel(before)
