"""CSVLogger: a row of ``metrics.csv`` for each epoch."""

from __future__ import annotations

from typing import Any

from gluon_yolo.training.callbacks.base import Callback, TrainerView
from gluon_yolo.training.callbacks.progress_log import SCORES


class CSVLogger(Callback):
    """Appends an epoch's learning rate, losses, speed and scores.

    The row is written before the checkpoint: a kill between them leaves a row too many, which a resume drops.
    A row too few would stay missing.
    """

    def __init__(self) -> None:
        self._row: dict[str, Any] = {}

    def on_steps_end(self, trainer: TrainerView) -> None:
        """Take the epoch's numbers now: its time is that of its steps, without the validation."""
        numbers = trainer.metric_logger.row()
        self._row = {"epoch": trainer.epoch, "lr": trainer.learning_rate, **numbers}

    def on_validation_end(self, trainer: TrainerView) -> None:
        """Add the scores."""
        result = trainer.result or {}
        self._row.update({key: result[key] for key in SCORES if key in result})

    def on_epoch_end(self, trainer: TrainerView) -> None:
        """Write the row."""
        trainer.folder.metrics.append(self._row)
