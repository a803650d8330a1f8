"""Heartbeat: where no terminal shows a bar, long work logs its progress at least once a minute.

Each piece of work is a :class:`Task` while it runs: a command, and within it the loops that a
:class:`gluon_yolo.progress.bar.Bar` counts. One thread serves all tasks; it only writes to the log.
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
    """A piece of work in progress.

    Args:
        title: what the work does.
        counts: whether the task knows its progress.

    Attributes:
        began: start time in seconds of the heartbeat's clock.
    """

    def __init__(self, title: str, counts: bool = False) -> None:
        self.title = title
        self.counts = counts
        self.began = 0.0

    def line(self, now: float) -> str:
        """Return the line to log; ``now`` is in seconds of the heartbeat's clock."""
        return f"{self.title}: at work for {duration(now - self.began)}"


class Saying(Task):
    """A task that logs one fixed text.

    Args:
        text: the text.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text, counts=True)

    def line(self, now: float) -> str:
        """Return the text."""
        return self.title


class Heartbeat:
    """Logs a line when tasks run and nothing was logged for a while.

    Args:
        seconds: longest time without a line.
        clock: returns seconds from any origin.
        wait: waits until the event is set or the seconds are over, and returns whether it is set.
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
        self._last_line_at = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread()

    def begin(self, task: Task) -> None:
        """Add a task; the first task starts the thread. On a terminal this does nothing."""
        if is_terminal():
            return
        with self._lock:
            task.began = self.clock()
            self._tasks.append(task)
            if len(self._tasks) > 1:
                return
            self._last_line_at, self._end = task.began, threading.Event()
            log.addFilter(self._on_record)
            name = "gluon_yolo-heartbeat"
            self._thread = threading.Thread(target=self._run, args=(self._end,), name=name, daemon=True)
            self._thread.start()

    def end(self, task: Task) -> None:
        """Remove a task; the thread ends with the last task."""
        with self._lock:
            before, thread = len(self._tasks), self._thread
            self._tasks = [other for other in self._tasks if other is not task]
            if not before or self._tasks:
                return
            log.removeFilter(self._on_record)
            self._end.set()
        thread.join()  # outside the lock: the thread may be writing its last line

    @contextlib.contextmanager
    def working(self, what: str | Task) -> Iterator[None]:
        """Keep a task while the block runs."""
        task = Task(what) if isinstance(what, str) else what
        self.begin(task)
        try:
            yield
        finally:
            self.end(task)

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """Log nothing of the tasks while the block runs, which waits for a process that logs its own."""
        with self._lock:
            before, self._tasks = self._tasks, []
        try:
            yield
        finally:
            with self._lock:
                self._tasks = before

    def heard(self) -> None:
        """Note that a line was just printed, so the next heartbeat waits its full time."""
        self._last_line_at = self.clock()

    def beat(self) -> None:
        """Log the progress of the tasks that count, or of the last task, if it is time to."""
        now, tasks = self.clock(), list(self._tasks)
        if not tasks or now - self._last_line_at < self.seconds:
            return
        self.heard()  # also without the filter: a logger may be silenced
        shown = [task for task in tasks if task.counts] or tasks[-1:]
        log.info("%s", "; ".join(task.line(now) for task in shown))

    def _on_record(self, _record: logging.LogRecord) -> bool:
        """Pass every record of the log, and note its time."""
        self.heard()
        return True

    def _run(self, end: threading.Event) -> None:
        while not self._wait(end, max(0.0, self._last_line_at + self.seconds - self.clock())):
            self.beat()


def is_terminal() -> bool:
    """Return whether standard error, where bars are drawn, is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


HEARTBEAT = Heartbeat()
"""The heartbeat of this process."""
