"""Snapshots: the parameters after every so many epochs."""

from __future__ import annotations

from gluon_yolo.training.callbacks.base import Callback, TrainerView
from gluon_yolo.training.checkpoint import Checkpoint


class Snapshots(Callback):
    """Keeps ``weights/epoch-0009.params``.

    Args:
        interval: epochs between them; 0 keeps none.
    """

    def __init__(self, interval: int) -> None:
        self._interval = interval

    def on_checkpoint(self, trainer: TrainerView) -> None:
        """Keep the parameters of an epoch that is whole, where one is due."""
        done = trainer.progress.epoch
        if done > trainer.epoch and self._interval and done % self._interval == 0:
            Checkpoint(trainer.folder.weights).save_snapshot(trainer.net, trainer.epoch)
