"""Snapshots: saves the parameters every few epochs."""

from __future__ import annotations

from gluon_yolo.training.callbacks.base import Callback, TrainerView
from gluon_yolo.training.checkpoint import Checkpoint


class Snapshots(Callback):
    """Writes ``weights/epoch-0009.params``: with ``ema`` the averaged parameters.

    It is written before the checkpoint, as a row of ``metrics.csv`` is, so that none is missing after a kill.

    Args:
        interval: epochs between snapshots; 0 writes none.
    """

    def __init__(self, interval: int) -> None:
        self._interval = interval

    def on_epoch_end(self, trainer: TrainerView) -> None:
        """Save the parameters where a snapshot is due."""
        if self._interval and (trainer.epoch + 1) % self._interval == 0:
            with trainer.step.averaged():
                Checkpoint(trainer.folder.weights).save_snapshot(trainer.net, trainer.epoch)
