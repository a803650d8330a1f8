"""The cache of autotune: the fastest runtime for a model on this machine, in a small file."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from gluon_yolo.atomic_io import replacing
from gluon_yolo.system import folder_lock
from gluon_yolo.system.cpu import physical_cores

log = logging.getLogger("gluon_yolo")

HOUR, DAY = 3600.0, 86400.0
AGE, AGE_IF_BUSY = 30 * DAY, HOUR  # seconds until a result is out of date
BUSY = 0.5  # load of other programs, as a share of the cores, from which on the machine counts as busy
_measuring = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Choice:
    """The result of a measurement.

    Args:
        runtime: name of the fastest one.
        milliseconds: of a call, by runtime.
        measured: time of the measurement in seconds since 1970.
        load: share of the cores that were busy before; None where unknown.
        steady: whether the calls of each runtime took about the same time.
    """

    runtime: str
    milliseconds: Mapping[str, float]
    measured: float
    load: float | None = None
    steady: bool = True

    @property
    def trusted(self) -> bool:
        """Whether the machine was idle and the times were steady."""
        return self.steady and not (self.load is not None and self.load > BUSY)

    def stale(self, now: float) -> str:
        """Return why the result is out of date at a time; empty where it is not."""
        age = now - self.measured
        if not self.trusted and not -HOUR < age < AGE_IF_BUSY:
            return "the last time was on a busy machine"
        if not -DAY < age < AGE:
            return f"the last time was {age / DAY:.0f} days ago" if age > 0 else "the clock was set back"
        return ""


def read(file: Path) -> Choice | None:
    """Return the result in a file; None where there is none, or one of an older package."""
    try:
        choice = Choice(**json.loads(file.read_text(encoding="utf-8")))
        choice.stale(0.0)  # raises a TypeError where a field is no number
        return choice
    except (OSError, ValueError, TypeError):
        return None


def write(file: Path, choice: Choice) -> None:
    """Write a result to a file, if its folder is writable."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as part:
            part.write_text(json.dumps(dataclasses.asdict(choice)) + "\n", encoding="utf-8")
    except OSError:
        log.debug("%s: cannot be written; the next time measures again", file)


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other thread or process is in such a block: side by side they would time each other.

    The system releases the lock of a process that ends in any way. Where the folder cannot be made, or its
    disk has no locks, the threads of this process alone wait for one another.

    Args:
        folder: of the results; made when absent.
    """
    with _measuring, folder_lock.one_at_a_time(folder):
        yield


def now() -> float:
    """Return the current time in seconds since 1970."""
    return time.time()


def load() -> float | None:
    """Return the share of the cores that were busy in the last minute; None where unknown."""
    try:
        return os.getloadavg()[0] / physical_cores()
    except (AttributeError, OSError):  # Windows has none
        return None
