"""Callbacks of a file, as other processes can be given them."""

from __future__ import annotations

import os
from pathlib import Path

from gluon_yolo import Callback
from gluon_yolo.training.callbacks.base import TrainerView


class Faster(Callback):
    """Doubles the learning rate of each step, and ends the run with an epoch.

    Args:
        folder: where each process in which it begins leaves its id.
        last_epoch: that it ends the run with.
        fails: whether it raises an error instead.
    """

    def __init__(self, folder: Path, last_epoch: int, fails: bool = False) -> None:
        self.folder, self.last_epoch, self.fails = folder, last_epoch, fails

    def on_train_begin(self, trainer: TrainerView) -> None:
        (self.folder / f"began-{os.getpid()}").touch()

    def on_step_begin(self, trainer: TrainerView) -> None:
        trainer.learning_rate *= 2

    def on_epoch_end(self, trainer: TrainerView) -> None:
        if trainer.epoch == self.last_epoch:
            if self.fails:
                raise ValueError("no disk for the plot")
            trainer.should_stop = True
