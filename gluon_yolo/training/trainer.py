"""Training: epochs of steps, validation after them, and a run's folder that tells the story."""

from __future__ import annotations

import contextlib
import logging
import math
import shlex
from collections.abc import Sequence
from itertools import islice
from typing import Any

from gluon_yolo import atomic_io
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.loading.loader import TrainLoader
from gluon_yolo.data.transforms import augmentation
from gluon_yolo.errors import UserError
from gluon_yolo.evaluation.image_grids import batch_grid
from gluon_yolo.evaluation.validation import Validation
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.progress.bar import Bar
from gluon_yolo.progress.heartbeat import HEARTBEAT, Saying
from gluon_yolo.text import duration
from gluon_yolo.training import rng_state
from gluon_yolo.training.checkpoint import Checkpoint
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.metric_logger import MetricLogger
from gluon_yolo.training.out_of_memory import too_large
from gluon_yolo.training.pace import BATCH, END, VALIDATION, Pace
from gluon_yolo.training.profiler import Profiler
from gluon_yolo.training.run_dir import RunFolder
from gluon_yolo.training.signals import Stop
from gluon_yolo.training.state import Progress
from gluon_yolo.training.step import NotFinite, TrainStep
from gluon_yolo.visualize import curves, grid

log = logging.getLogger("gluon_yolo")
# What the log and metrics.csv keep of a validation.
SCORES = ("fitness", "AP", "AP50", "VOC07_mAP50", "VOC_mAP50")
SHOWN_BATCHES = 3


class Training:
    """A run: a network, its data, its settings and its folder.

    Args:
        settings: what is asked for.
        net: initialized on ``contexts``, with its starting weights.
        train_data: what to train on, from which there is something to learn (:class:`Learnable`).
        validation: what decides which epoch is best.
        folder: where everything goes.
        contexts: the devices, over which a batch splits evenly (:func:`check_batch_size` of ``devices``).

    Attributes:
        progress: how far the run has come.
        stop: whether, and by which signal, it was asked to end early.
    """

    def __init__(
        self,
        settings: TrainConfig,
        net: DetectionNetwork,
        train_data: Dataset,
        validation: Validation,
        folder: RunFolder,
        contexts: Sequence[mx.Context],
    ):
        """Set up loader, step and schedule."""
        self.settings = settings
        self.net = net
        self.validation = validation
        self.folder = folder
        self.stop = Stop()
        self.loader = TrainLoader(
            train_data,
            augmentation(settings.augment),
            net.spec,
            settings.batch_size,
            settings.sizes_hw,
            seed=settings.seed,
            workers=settings.num_workers,
            resize_interval=settings.shape_interval,
            worker_type=settings.loader_worker_type,
        )
        self.batches = settings.batches(len(self.loader))
        self.schedule = settings.schedule(self.batches)
        val_batches = len(validation.dataset) / settings.batch_size
        self.pace = Pace(self.batches, settings.epochs, settings.val_interval, val_batches)
        self.step = TrainStep(
            net,
            contexts,
            settings.momentum,
            settings.wd,
            settings.no_wd,
            settings.smoothing(net.spec.num_classes),
            settings.box_loss,
            settings.loss_scale,
        )
        self.checkpoint = Checkpoint(folder.weights)
        self.progress = Progress(
            net.zoo_name,
            net.spec.class_names,
            settings.seed,
            epoch=settings.start_epoch,
            step=settings.start_epoch * self.batches,
            schedule=self.schedule.to_dict(),
            score_key=validation.score_key,
        )
        self.no_curves = curves.why_no_curves()
        if self.no_curves:
            log.warning("curves.png will not be drawn: %s", self.no_curves)
        rng_state.seed(settings.seed)
        if settings.mixup and not settings.mixup_in(0):
            never = "mixup: never on: the last %d of %d epochs go without; give fewer --no-mixup-epochs"
            log.warning(never, settings.no_mixup_epochs, settings.epochs)

    def resume(self) -> None:
        """Restore what the run's last checkpoint holds.

        Raises:
            UserError: when it is missing, damaged, of another network, or of other data.
        """
        progress = self.checkpoint.load(
            self.net, self.step.trainer, self.net.zoo_name, self.net.spec.class_names
        )
        before = progress.schedule["batches_per_epoch"]
        if before != self.batches:
            raise UserError(
                f"{self.folder.path}: its epochs had {before} batches, the data now gives {self.batches}: "
                f"restore the data, or start a new run from these weights: --weights {self.folder.path}"
            )
        if progress.score_key not in (None, self.validation.score_key):
            raise UserError(
                f"{self.folder.path}: compares its epochs by {progress.score_key}, which is not measured now"
            )
        progress.score_key = self.validation.score_key
        self.progress = progress
        self.folder.metrics.keep_before(progress.epoch)
        log.info("resuming at epoch %d, batch %d", progress.epoch, progress.batch)

    def run(self) -> dict[str, Any] | None:
        """Train to the end.

        Returns:
            The last validation's numbers; None when asked to stop before the end.

        Raises:
            UserError: when a loss is not finite, or an image can no longer be read.
        """
        result = None
        self.pace.start()
        with self.stop, self.loader:
            for epoch in range(self.progress.epoch, self.settings.epochs):
                metric_logger = self._train_epoch(epoch)
                if self.stop.asked:
                    self._save()
                else:
                    result = self._finish_epoch(epoch, metric_logger)
                if self.stop.asked and self.progress.epoch < self.settings.epochs:
                    self._say_stopped()
                    return None
        return result

    def _say_stopped(self) -> None:
        at = f"epoch {self.progress.epoch}, batch {self.progress.batch}"
        command = f"gluon-yolo train --resume {shlex.quote(str(self.folder.path))}"
        log.info("stopped by %s at %s; go on with: %s", self.stop.asked.name, at, command)

    def _train_epoch(self, epoch: int) -> MetricLogger:
        """Train an epoch's batches that are not trained yet, or, when asked to stop, some of them."""
        progress = self.progress
        metric_logger = MetricLogger(self.step.loss.names, self.batches, progress.batch, progress.losses)
        batches = self.loader.epoch(epoch, progress.batch, self.settings.mixup_in(epoch))
        waited = self.loader.time_waiting
        first = epoch == self.settings.start_epoch
        profiler = Profiler(self.folder.path, self.settings.profile if first else 0)
        bar = Bar(self.batches, f"epoch {epoch}", "batch", progress.batch, leave=False)
        with contextlib.closing(batches), bar, profiler:
            for batch in islice(batches, self.batches - progress.batch):
                if first and metric_logger.done < SHOWN_BATCHES:
                    self._show(
                        f"train-batch-{metric_logger.done}.jpg", batch_grid(batch, self.net.spec.class_names)
                    )
                rate = self._train_batch(batch, metric_logger)
                profiler.step()
                bar.show(f"{metric_logger.short()} lr {rate:.2g}")
                bar.update()
                bar.note = self._batches_line(metric_logger, rate)
                if metric_logger.done % self.settings.log_interval == 0 and metric_logger.done < self.batches:
                    log.info("%s", bar.note)
                if self.stop.asked:
                    return metric_logger
        waited = 100 * (self.loader.time_waiting - waited) / metric_logger.seconds
        waiting = f", {waited:.1f} % of it waiting for data" if metric_logger.is_timed else ""
        left = "" if epoch == self.settings.epochs - 1 else self._left(epoch)
        log.info("epoch %d  lr %s  %s%s%s", epoch, self.schedule.shown(epoch), metric_logger, waiting, left)
        return metric_logger

    def _train_batch(self, batch: Any, metric_logger: MetricLogger) -> float:
        """Train one batch, and count it; return its learning rate."""
        rate = self.schedule(self.progress.step + 1)
        try:
            losses = self.step(batch, rate)
        except NotFinite as error:
            raise UserError(self._diverged(str(error))) from error
        metric_logger.add(losses, len(batch.names))
        self.pace.spent(BATCH)
        self.progress.step += 1
        self.progress.batch = metric_logger.done
        self.progress.losses = tuple(metric_logger.sums)
        return rate

    def _batches_line(self, metric_logger: MetricLogger, rate: float) -> str:
        """Say how far an epoch is, and what is left of it and of the training."""
        epoch = self.progress.epoch
        at = f"epoch {epoch} batch {metric_logger.done}/{self.batches}"
        left = duration(self.pace.training_left(epoch, metric_logger.done))
        minutes = f"{metric_logger.minutes_left:.1f} min left in this epoch, {left} in the training"
        return f"{at}  lr {rate:.3g}  {metric_logger}, {minutes}"

    def _left(self, epoch: int) -> str:
        """Say what is left of the training behind an epoch's batches, where anything is known of it."""
        seconds = self.pace.training_left(epoch, self.batches)
        return f", {duration(seconds)} left in the training" if math.isfinite(seconds) else ""

    def _finish_epoch(self, epoch: int, metric_logger: MetricLogger) -> dict[str, Any] | None:
        """Validate where it is due, and write down what the epoch gave; return what validation gave."""
        self.step.share_statistics()
        self._refuse_diverged()
        row = {"epoch": epoch, "lr": self.schedule(self.progress.step), **metric_logger.row()}
        result = None
        if self.pace.is_validated(epoch):
            with HEARTBEAT.working(Saying(f"epoch {epoch}: trained{self._left(epoch)}")):
                result = self._validate(epoch)
            self.pace.spent(VALIDATION)
            row.update({key: result[key] for key in SCORES if key in result})
        # The row first: one that is there twice is dropped by a resume, one that is missing stays missing.
        self.folder.metrics.append(row)
        self.progress.epoch, self.progress.batch, self.progress.losses = epoch + 1, 0, ()
        self._save()
        self._draw_curves()
        if self.settings.save_interval and (epoch + 1) % self.settings.save_interval == 0:
            self.checkpoint.save_snapshot(self.net, epoch)
        self.pace.spent(END)
        return result

    def _draw_curves(self) -> None:
        if self.no_curves:
            return
        path = self.folder.path / "curves.png"
        with atomic_io.writing(path, "free space there or allow writing"):
            curves.plot_curves(self.folder.metrics.path, path, self.validation.score_key)

    def _validate(self, epoch: int) -> dict[str, Any]:
        """Score the present weights; keep them when they are the best so far."""
        result, images = self.validation(self.net)
        self._show("validation.jpg", images)
        key, progress = self.validation.score_key, self.progress
        score = float(result[key])
        if progress.best_score is None or score > progress.best_score:
            progress.best_score, progress.best_epoch = score, epoch
            self.checkpoint.save_best(self.net)
        names = [key, *(name for name in SCORES if name in result and name != key)]
        numbers = "  ".join(f"{name} {float(result[name]):.4f}" for name in names)
        best = f"best {progress.best_score:.4f} at epoch {progress.best_epoch}"
        log.info("epoch %d  %s  (%s)", epoch, numbers, best)
        return result

    def _save(self) -> None:
        self._refuse_diverged()
        self.checkpoint.save(self.net, self.step.trainer, self.progress)

    def _show(self, name: str, image: Any) -> None:
        grid.write_image(self.folder.images / name, image)

    def _refuse_diverged(self) -> None:
        """Raise UserError when the weights are no numbers, before they are saved over good ones."""
        if not self.step.is_finite():
            raise UserError(self._diverged("the weights are no longer finite numbers"))

    def _diverged(self, what: str) -> str:
        """Return the message of a training that cannot go on, with what is kept of it."""
        return (
            f"{self._ended(what)}. Try a lower --lr or more --warmup-epochs, and look at the pictures' boxes"
        )

    def too_large(self) -> str:
        """Return the message of a training that found too little memory."""
        what, advice = too_large(self.settings, self.step.contexts)
        return f"{self._ended(what)}. {advice}"

    def _ended(self, what: str) -> str:
        """Return where and why the training ended, and what is kept of it."""
        kept = "nothing was saved before"
        if self.checkpoint.exists():
            saved = self.checkpoint.read()
            kept = f"{self.checkpoint.last} keeps the state of epoch {saved.epoch}, batch {saved.batch}"
        at = f"epoch {self.progress.epoch}, batch {self.progress.batch}"
        return f"{at}: {what}. Training stopped; {kept}"
