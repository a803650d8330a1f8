"""Profiler: records mxnet's operators in some training steps, as a trace and as a table."""

from __future__ import annotations

import logging
from pathlib import Path

from gluon_yolo import atomic_io
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.training.callbacks.base import Callback, TrainerView

TRACE, TABLE = "profile.json", "profile.txt"
SKIPPED = 1  # steps: only the first one plans the graphs and allocates the memory

log = logging.getLogger("gluon_yolo")


class Profiler(Callback):
    """Records steps of the run's first epoch, and writes the result.

    ``profile.json`` is a trace for chrome://tracing or https://ui.perfetto.dev; ``profile.txt`` has the
    number of calls and the time (milliseconds) of every operator. mxnet's profiler can write one trace per
    process.

    Args:
        steps: the number of steps to record; 0 records none.
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._seen = 0
        self._running = False

    def on_step_end(self, trainer: TrainerView) -> None:
        """Start the recording after the skipped steps; write it after the last recorded step."""
        if not self._steps or trainer.epoch != trainer.config.start_epoch:
            return
        self._seen += 1
        if self._seen == SKIPPED:
            self._start(trainer.folder.path)
        elif self._running and self._seen == SKIPPED + self._steps:
            self._write(trainer.folder.path)

    def on_steps_end(self, trainer: TrainerView) -> None:
        """Write the recording if it is not written yet."""
        if self._running and self._seen > SKIPPED:
            self._write(trainer.folder.path)
        elif self._running:
            mx.profiler.set_state("stop")
            self._running = False
            log.warning("profile: none: the first step is left out, and there was no other")

    def on_train_end(self, trainer: TrainerView) -> None:
        """Write the recording of a training that an error ended."""
        self.on_steps_end(trainer)

    def _start(self, folder: Path) -> None:
        mx.nd.waitall()
        kinds = {"profile_symbolic": True, "profile_imperative": True, "aggregate_stats": True}
        try:
            mx.profiler.set_config(filename=str(folder / TRACE), **kinds)
        except mx.MXNetError:
            log.warning("profile: none: mxnet's profiler has written one in this process, and does so once")
            return
        mx.profiler.set_state("run")
        self._running = True

    def _write(self, folder: Path) -> None:
        mx.nd.waitall()
        mx.profiler.set_state("stop")
        self._running = False
        with atomic_io.writing(folder / TABLE, "free space there or allow writing"):
            (folder / TABLE).write_text(mx.profiler.dumps(reset=True), encoding="utf-8")
        mx.profiler.dump()
        recorded = self._seen - SKIPPED
        log.info("profile of %d steps: %s, and a trace for https://ui.perfetto.dev: %s",
                 recorded, folder / TABLE, folder / TRACE)  # fmt: skip
