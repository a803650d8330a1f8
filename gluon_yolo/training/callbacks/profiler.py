"""Profiler: records the engine's operators in some training steps, as a trace and as a table."""

from __future__ import annotations

import logging
from pathlib import Path

from gluon_yolo import atomic_io
from gluon_yolo.training.callbacks.base import Callback, TrainerView
from gluon_yolo.training.recording import MXNetRecording, Recording

TRACE, TABLE = "profile.json", "profile.txt"
SKIPPED = 1  # steps: only the first one plans the graphs and allocates the memory

log = logging.getLogger("gluon_yolo")


class Profiler(Callback):
    """Records steps of the run's first epoch, and writes the result.

    ``profile.json`` is a trace for chrome://tracing or https://ui.perfetto.dev; ``profile.txt`` has the
    number of calls and the time of every operator.

    Args:
        steps: the number of steps to record; 0 records none.
        recording: of the engine; None is mxnet's.
    """

    def __init__(self, steps: int, recording: Recording | None = None) -> None:
        self._steps = steps
        self._recording = recording or MXNetRecording()
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
            self._recording.drop()
            self._running = False
            log.warning("profile: none: the first step is left out, and there was no other")

    def on_train_end(self, trainer: TrainerView) -> None:
        """Write the recording of a training that an error ended."""
        self.on_steps_end(trainer)

    def _start(self, folder: Path) -> None:
        problem = self._recording.start(folder / TRACE)
        if problem:
            log.warning("profile: none: %s", problem)
        self._running = not problem

    def _write(self, folder: Path) -> None:
        self._running = False
        with atomic_io.writing(folder / TABLE, atomic_io.MAKE_ROOM):
            (folder / TABLE).write_text(self._recording.write(folder / TRACE), encoding="utf-8")
        recorded = self._seen - SKIPPED
        log.info("profile of %d steps: %s, and a trace for https://ui.perfetto.dev: %s",
                 recorded, folder / TABLE, folder / TRACE)  # fmt: skip
