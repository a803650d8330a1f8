"""Curves: draws losses, scores and learning rate over the epochs, as ``curves.png``."""

from __future__ import annotations

import logging

from gluon_yolo import atomic_io
from gluon_yolo.training.callbacks.base import Callback, TrainerView
from gluon_yolo.visualize.curves import plot_curves, why_no_curves

log = logging.getLogger("gluon_yolo")


class Curves(Callback):
    """Draws ``curves.png`` from ``metrics.csv`` after each epoch; warns once if matplotlib is missing."""

    def __init__(self) -> None:
        why = why_no_curves()
        if why:
            log.warning("curves.png will not be drawn: %s", why)
        self._drawn = not why

    def on_epoch_end(self, trainer: TrainerView) -> None:
        """Draw the epochs so far."""
        if self._drawn:
            path = trainer.folder.path / "curves.png"
            with atomic_io.writing(path, atomic_io.MAKE_ROOM):
                plot_curves(trainer.folder.metrics.path, path, trainer.validation.score_key)
