"""ProgressLog: shows the progress of a training as a bar on the terminal and as lines of the log."""

from __future__ import annotations

import logging
import math

from gluon_yolo.progress.bar import Bar
from gluon_yolo.progress.heartbeat import HEARTBEAT, Saying
from gluon_yolo.text import duration
from gluon_yolo.training.callbacks.base import Callback, TrainerView
from gluon_yolo.training.pace import BATCH, END, VALIDATION, Pace

log = logging.getLogger("gluon_yolo")
# The numbers of a validation that the log and metrics.csv contain.
SCORES = ("fitness", "AP", "AP50", "VOC07_mAP50", "VOC_mAP50")


class ProgressLog(Callback):
    """Draws the bar of an epoch; logs batches, epochs and validations with the remaining time.

    Args:
        interval: batches between log lines within an epoch.
    """

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self._pace: Pace
        self._bar: Bar | None = None
        self._validating: Saying | None = None
        self._epochs = 0  # finished in this process
        self._waited = 0.0

    def on_train_begin(self, trainer: TrainerView) -> None:
        """Start to measure the time."""
        config = trainer.config
        val_batches = len(trainer.validation.dataset) / config.batch_size
        self._pace = Pace(trainer.batches, config.epochs, config.val_interval, val_batches)

    def on_epoch_begin(self, trainer: TrainerView) -> None:
        """Start the bar."""
        self._end_bar()  # of an epoch that was rolled back
        if self._epochs:
            self._pace.spent(END)  # time of saving and drawing
        self._waited = trainer.loader.time_waiting
        title, done = f"epoch {trainer.epoch}", trainer.progress.batch
        self._bar = Bar(trainer.batches, title, "batch", done, leave=False).__enter__()

    def on_step_end(self, trainer: TrainerView) -> None:
        """Advance the bar; log a line where one is due."""
        self._pace.spent(BATCH)
        assert self._bar is not None
        metric_logger = trainer.metric_logger
        self._bar.show(f"{metric_logger.short()} lr {trainer.learning_rate:.2g}")
        self._bar.update()
        self._bar.note = self._batches_line(trainer)
        if metric_logger.done % self._interval == 0 and metric_logger.done < trainer.batches:
            log.info("%s", self._bar.note)

    def on_steps_end(self, trainer: TrainerView) -> None:
        """Finish the bar; log the epoch if it is whole."""
        self._end_bar()
        if trainer.should_stop:
            return
        metric_logger, epoch = trainer.metric_logger, trainer.epoch
        waited = 100 * (trainer.loader.time_waiting - self._waited) / metric_logger.seconds
        waiting = f", {waited:.1f} % of it waiting for data" if metric_logger.is_timed else ""
        left = "" if epoch == trainer.config.epochs - 1 else self._left(trainer)
        rate = trainer.schedule.shown(epoch)
        if trainer.progress.rollbacks:
            rate = f"{trainer.learning_rate:.3g}"
        log.info("epoch %d  lr %s  %s%s%s", epoch, rate, metric_logger, waiting, left)

    def on_validation_begin(self, trainer: TrainerView) -> None:
        """Set the line that the heartbeat logs during the validation."""
        self._validating = Saying(f"epoch {trainer.epoch}: trained{self._left(trainer)}")
        HEARTBEAT.begin(self._validating)

    def on_validation_end(self, trainer: TrainerView) -> None:
        """Log the scores, the deciding one first, and the best epoch."""
        result, key, progress = trainer.result or {}, trainer.validation.score_key, trainer.progress
        names = [key, *(name for name in SCORES if name in result and name != key)]
        numbers = "  ".join(f"{name} {float(result[name]):.4f}" for name in names)
        best = f"best {progress.best_score:.4f} at epoch {progress.best_epoch}"
        log.info("epoch %d  %s  (%s)", trainer.epoch, numbers, best)
        self._end_validation()
        self._pace.spent(VALIDATION)

    def on_epoch_end(self, trainer: TrainerView) -> None:
        """Count the epoch."""
        self._epochs += 1

    def on_train_end(self, trainer: TrainerView) -> None:
        """Finish the bar and the heartbeat's line, which an error leaves unfinished."""
        self._end_bar()
        self._end_validation()

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.__exit__()
            self._bar = None

    def _end_validation(self) -> None:
        if self._validating is not None:
            HEARTBEAT.end(self._validating)
            self._validating = None

    def _batches_line(self, trainer: TrainerView) -> str:
        """Return the position in the epoch, and the remaining time of the epoch and of the training."""
        epoch, metric_logger = trainer.epoch, trainer.metric_logger
        at = f"epoch {epoch} batch {metric_logger.done}/{trainer.batches}"
        left = duration(self._pace.training_left(epoch, metric_logger.done))
        minutes = f"{metric_logger.minutes_left:.1f} min left in this epoch, {left} in the training"
        return f"{at}  lr {trainer.learning_rate:.3g}  {metric_logger}, {minutes}"

    def _left(self, trainer: TrainerView) -> str:
        """Return the remaining time after the batches of an epoch; empty before it can be estimated."""
        seconds = self._pace.training_left(trainer.epoch, trainer.batches)
        return f", {duration(seconds)} left in the training" if math.isfinite(seconds) else ""
