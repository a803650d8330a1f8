"""Profiler: what mxnet does in some training steps, operator by operator, as a trace and as a table."""

from __future__ import annotations

import logging
from pathlib import Path
from types import TracebackType

from gluon_yolo import atomic_io
from gluon_yolo.mxnet_compat import mx

TRACE, TABLE = "profile.json", "profile.txt"
SKIPPED = 1  # steps: the first plans the graphs and takes its memory, which no later one does

log = logging.getLogger("gluon_yolo")


class Profiler:
    """Records steps of a training while it is entered, then writes what they were made of.

    ``profile.json`` is a trace for chrome://tracing or https://ui.perfetto.dev; ``profile.txt`` adds up the
    calls and times (milliseconds) of every operator. mxnet's profiler writes one trace in a process's life.

    Args:
        folder: where both files go.
        steps: how many to record; 0 records none.
    """

    def __init__(self, folder: Path, steps: int):
        """Record nothing yet."""
        self.folder = folder
        self.steps = steps
        self._seen = 0
        self._running = False

    def __enter__(self) -> Profiler:
        """Begin to count steps."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what was recorded, if that is not done yet."""
        if self._running and self._seen > SKIPPED:
            self._write()
        elif self._running:
            mx.profiler.set_state("stop")
            log.warning("profile: none: the first step is left out, and there was no other")

    def step(self) -> None:
        """Take note that a step is done."""
        self._seen += 1
        if self.steps and self._seen == SKIPPED:
            self._start()
        elif self._running and self._seen == SKIPPED + self.steps:
            self._write()

    def _start(self) -> None:
        mx.nd.waitall()
        kinds = {"profile_symbolic": True, "profile_imperative": True, "aggregate_stats": True}
        try:
            mx.profiler.set_config(filename=str(self.folder / TRACE), **kinds)
        except mx.MXNetError:
            log.warning("profile: none: mxnet's profiler has written one in this process, and does so once")
            return
        mx.profiler.set_state("run")
        self._running = True

    def _write(self) -> None:
        mx.nd.waitall()
        mx.profiler.set_state("stop")
        self._running = False
        with atomic_io.writing(self.folder / TABLE, "free space there or allow writing"):
            (self.folder / TABLE).write_text(mx.profiler.dumps(reset=True), encoding="utf-8")
        mx.profiler.dump()
        recorded = self._seen - SKIPPED
        log.info("profile of %d steps: %s, and a trace for https://ui.perfetto.dev: %s",
                 recorded, self.folder / TABLE, self.folder / TRACE)  # fmt: skip
