"""Heartbeat: long work says at least once a minute how far it is, where no terminal shows a bar.

Work that takes time is a :class:`Task` while it lasts: a command, and within it the loops that a
:class:`gluon_yolo.progress.bar.Bar` counts. One thread looks after all of them. It touches nothing but the
log.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import Callable

from gluon_yolo.text import duration

log = logging.getLogger("gluon_yolo")

SECONDS = 60.0
Wait = Callable[[threading.Event, float], bool]


class Task:
    """A piece of work that goes on.

    Args:
        title: what is done.
        counts: whether it knows how far it is.

    Attributes:
        began: when, by the heartbeat's clock.
    """

    def __init__(self, title: str, counts: bool = False) -> None:
        self.title = title
        self.counts = counts
        self.began = 0.0

    def line(self, now: float) -> str:
        """Say how far it is at a time of the heartbeat's clock."""
        return f"{self.title}: at work for {duration(now - self.began)}"


class Saying(Task):
    """A piece of work of which one thing is said as long as it goes on.

    Args:
        text: what.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text, counts=True)

    def line(self, now: float) -> str:
        """Say it."""
        return self.title


class Heartbeat:
    """Logs a line when work goes on and nothing was logged for a while.

    Args:
        seconds: without a line at most.
        clock: returns seconds, from whatever zero.
        wait: waits until the event is set or so many seconds are over, and returns whether it is set.
    """

    def __init__(
        self,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.monotonic,
        wait: Wait = threading.Event.wait,
    ) -> None:
        self.seconds = seconds
        self.clock = clock
        self._wait = wait
        self._tasks: list[Task] = []
        self._lock = threading.Lock()
        self._said = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread()

    def begin(self, task: Task) -> None:
        """Look after a task from now on; the first one starts the thread. On a terminal nothing is done."""
        if is_terminal():
            return
        with self._lock:
            task.began = self.clock()
            self._tasks.append(task)
            if len(self._tasks) > 1:
                return
            self._said, self._end = task.began, threading.Event()
            log.addFilter(self._hear)
            name = "gluon_yolo-heartbeat"
            self._thread = threading.Thread(target=self._run, args=(self._end,), name=name, daemon=True)
            self._thread.start()

    def end(self, task: Task) -> None:
        """Look after a task no more; after the last one the thread ends."""
        with self._lock:
            before, thread = len(self._tasks), self._thread
            self._tasks = [other for other in self._tasks if other is not task]
            if not before or self._tasks:
                return
            log.removeFilter(self._hear)
            self._end.set()
        thread.join()  # without the lock: its last line may be under way

    @contextlib.contextmanager
    def working(self, what: str | Task) -> Iterator[None]:
        """Look after whatever happens in the block."""
        task = Task(what) if isinstance(what, str) else what
        self.begin(task)
        try:
            yield
        finally:
            self.end(task)

    def heard(self) -> None:
        """Take note that the user was told something just now."""
        self._said = self.clock()

    def beat(self) -> None:
        """Log how far the work is, if it is time to."""
        now, tasks = self.clock(), list(self._tasks)
        if not tasks or now - self._said < self.seconds:
            return
        self.heard()  # by hand as well: a logger may be told to be silent
        told = [task for task in tasks if task.counts] or tasks[-1:]
        log.info("%s", "; ".join(task.line(now) for task in told))

    def _hear(self, _record: logging.LogRecord) -> bool:
        """Let a record of the log pass, and take note of it."""
        self.heard()
        return True

    def _run(self, end: threading.Event) -> None:
        while not self._wait(end, max(0.0, self._said + self.seconds - self.clock())):
            self.beat()


def is_terminal() -> bool:
    """Say whether standard error, where bars are drawn, is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


HEARTBEAT = Heartbeat()
"""The one of this process."""
