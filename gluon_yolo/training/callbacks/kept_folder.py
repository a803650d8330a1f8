"""KeptFolder: a run's folder that is deleted or moved during its training is made anew."""

from __future__ import annotations

import contextlib
import logging

from gluon_yolo import atomic_io
from gluon_yolo.training.callbacks.base import Callback, TrainerView

log = logging.getLogger("gluon_yolo")

MARK = "model.json"  # without it a folder is no run's
_LARGEST = 16 << 20  # bytes of a file that is kept in memory


class KeptFolder(Callback):
    """Makes the run's folder anew before anything is written where it was.

    Settings, log and metrics are kept in memory, as they were after the last epoch. So only the best weights
    and the snapshots of earlier epochs are lost; the best of the epochs from there on are saved.
    """

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def on_train_begin(self, trainer: TrainerView) -> None:
        """Keep the folder's files."""
        self._keep(trainer)

    def on_step_begin(self, trainer: TrainerView) -> None:
        """Make the folder anew where it is gone, before image grids are written."""
        self._restore(trainer)

    def on_step_end(self, trainer: TrainerView) -> None:
        """Do so before lines of the log are."""
        self._restore(trainer)

    def on_validation_end(self, trainer: TrainerView) -> None:
        """Do so before the best weights are."""
        self._restore(trainer)

    def on_epoch_end(self, trainer: TrainerView) -> None:
        """Do so before the metrics, the snapshot and the checkpoint are."""
        self._restore(trainer)

    def on_checkpoint(self, trainer: TrainerView) -> None:
        """Do so before the report is, and keep the files of this epoch."""
        self._restore(trainer)
        self._keep(trainer)

    def _keep(self, trainer: TrainerView) -> None:
        with contextlib.suppress(OSError):  # what is deleted at this moment is as it was kept before
            for path in trainer.folder.path.iterdir():
                if path.is_file() and path.stat().st_size <= _LARGEST:
                    self._kept[path.name] = path.read_bytes()

    def _restore(self, trainer: TrainerView) -> None:
        folder = trainer.folder
        if MARK not in self._kept or (folder.path / MARK).exists():
            return
        with atomic_io.writing(folder.path, atomic_io.MAKE_ROOM):
            for made in (folder.weights, folder.images):
                made.mkdir(parents=True, exist_ok=True)
            for name, content in self._kept.items():
                with atomic_io.replacing(folder.path / name) as part:
                    part.write_bytes(content)
        trainer.progress.best_score = trainer.progress.best_epoch = None
        log.warning(
            "%s: was deleted or moved while it was being trained; it is made anew, and the training goes on. "
            "Its weights are saved again after epoch %d; the best ones of earlier epochs are not",
            folder.path,
            trainer.epoch,
        )
