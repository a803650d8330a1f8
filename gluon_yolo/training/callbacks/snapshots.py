"""Snapshots: saves the parameters every few epochs."""

from __future__ import annotations

from gluon_yolo.training.callbacks.base import Callback, TrainerView
from gluon_yolo.training.checkpoint import Checkpoint


class Snapshots(Callback):
    """Writes ``weights/epoch-0009.params``.

    Args:
        interval: epochs between snapshots; 0 writes none.
    """

    def __init__(self, interval: int) -> None:
        self._interval = interval

    def on_checkpoint(self, trainer: TrainerView) -> None:
        """Save the parameters of a whole epoch where a snapshot is due."""
        done = trainer.progress.epoch
        if done > trainer.epoch and self._interval and done % self._interval == 0:
            Checkpoint(trainer.folder.weights).save_snapshot(trainer.net, trainer.epoch)
