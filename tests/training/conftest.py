"""What tests of whole trainings need: data, a training with some flags, and a signal at some moment of it."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.small_training import draw_data, start_run


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Return a small data set, which no test changes."""
    return draw_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def train(data, tmp_path_factory) -> Callable[..., tuple[int, Path]]:
    """Return a function that trains with some flags and returns the exit status and the run folder."""
    return lambda *flags, **options: start_run(data, tmp_path_factory.mktemp("runs"), *flags, **options)


@pytest.fixture
def send_at() -> Iterator[Callable[[signal.Signals, str], None]]:
    """Return a function that makes the process send itself a signal when the log has some text."""
    logger, handlers = logging.getLogger("gluon_yolo"), []

    def send_at(number: signal.Signals, words: str) -> None:
        class Sender(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if record.getMessage().startswith(words):
                    os.kill(os.getpid(), number)

        handlers.append(Sender())
        logger.addHandler(handlers[-1])

    yield send_at
    for handler in handlers:
        logger.removeHandler(handler)
