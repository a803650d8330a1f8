"""CSVLogger: writes a row of ``metrics.csv`` for each epoch."""

from __future__ import annotations

from typing import Any

from gluon_yolo.training.callbacks.base import Callback, TrainerView
from gluon_yolo.training.callbacks.progress_log import SCORES


class CSVLogger(Callback):
    """Appends the learning rate, losses, speed and scores of an epoch.

    The row is written before the checkpoint. A kill between the two leaves one row too many, which a resume
    removes. In the other order, a row could be missing for ever.
    """

    def __init__(self) -> None:
        self._row: dict[str, Any] = {}

    def on_steps_end(self, trainer: TrainerView) -> None:
        """Collect the numbers of the steps; the time then excludes the validation."""
        numbers = trainer.metric_logger.row()
        self._row = {"epoch": trainer.epoch, "lr": trainer.learning_rate, **numbers}

    def on_validation_end(self, trainer: TrainerView) -> None:
        """Add the scores."""
        result = trainer.result or {}
        self._row.update({key: result[key] for key in SCORES if key in result})

    def on_epoch_end(self, trainer: TrainerView) -> None:
        """Write the row."""
        trainer.folder.metrics.append(self._row)
