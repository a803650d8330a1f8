"""TensorBoard: writes the numbers of a training as TensorBoard's event files."""

from __future__ import annotations

from typing import Any

from gluon_yolo import atomic_io
from gluon_yolo.errors import MissingDependency, explain
from gluon_yolo.training.callbacks.base import Callback, TrainerView
from gluon_yolo.training.callbacks.jsonl import scalars

FOLDER = "tensorboard"


def require_tensorboard() -> Any:
    """Import and return the package that writes event files.

    Raises:
        MissingDependency: it is not installed.
    """
    try:
        import tensorboardX
    except ImportError as error:
        raise MissingDependency(explain(error, "tensorboardX")) from error
    return tensorboardX


class TensorBoard(Callback):
    """Writes ``RUN/tensorboard``, by step from the start of the training.

    Every ``interval`` steps: ``loss/NAME``, ``loss/total`` and ``lr``. After an epoch ``epoch/loss/NAME``,
    ``epoch/loss/total``, ``epoch/pictures_per_second``; after a validation ``val/NAME`` and the image
    ``val/pictures``. TensorBoard hides the events after the step with which a resumed run goes on.

    Args:
        interval: steps between events.
    """

    def __init__(self, interval: int) -> None:
        self._package = require_tensorboard()
        self._interval = interval
        self._writer: Any = None

    def on_train_begin(self, trainer: TrainerView) -> None:
        """Open a new event file; earlier ones of a resumed run stay."""
        folder = trainer.folder.path / FOLDER
        resumed = folder.exists()
        with atomic_io.writing(folder, atomic_io.MAKE_ROOM):
            first = trainer.progress.step + 1 if resumed else None
            self._writer = self._package.SummaryWriter(str(folder), purge_step=first)

    def rolled_back(self, trainer: TrainerView) -> None:
        """Go on in a new file, which hides the events after the checkpoint."""
        self.on_train_end(trainer)
        self.on_train_begin(trainer)

    def on_step_end(self, trainer: TrainerView) -> None:
        """Write the losses and the learning rate where they are due."""
        step = trainer.progress.step
        if step % self._interval == 0:
            losses = {**trainer.losses, "total": sum(trainer.losses.values())}
            self._add({f"loss/{name}": value for name, value in losses.items()}, step)
            self._add({"lr": trainer.learning_rate}, step)

    def on_steps_end(self, trainer: TrainerView) -> None:
        """Write the mean losses of a whole epoch, and its speed."""
        logger = trainer.metric_logger
        if trainer.should_stop:  # the resumed run finishes the epoch
            self._flush(trainer)
            return
        row = logger.row()
        losses = {f"epoch/loss/{name}": row[name] for name in (*logger.names, "total")}
        speed = {"epoch/pictures_per_second": row["pictures_per_second"]} if logger.is_timed else {}
        self._add({**losses, **speed}, trainer.progress.step)

    def on_validation_end(self, trainer: TrainerView) -> None:
        """Write the scores and the validation images."""
        step = trainer.progress.step
        self._add({f"val/{name}": value for name, value in scalars(trainer.result or {}).items()}, step)
        if trainer.validation_images is not None:
            self._writer.add_image("val/pictures", trainer.validation_images, step, dataformats="HWC")

    def on_epoch_end(self, trainer: TrainerView) -> None:
        """Write what is buffered, before the checkpoint: a resumed run does not write it again."""
        self._flush(trainer)

    def _flush(self, trainer: TrainerView) -> None:
        with atomic_io.writing(trainer.folder.path / FOLDER, atomic_io.MAKE_ROOM):
            self._writer.flush()

    def on_train_end(self, trainer: TrainerView) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _add(self, numbers: dict[str, Any], step: int) -> None:
        for tag, value in numbers.items():
            self._writer.add_scalar(tag, value, step)
