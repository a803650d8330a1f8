"""Trainer: the training loop. Everything around it is in :mod:`gluon_yolo.training.callbacks`."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.loading.collate import Batch
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.evaluation.validation import Validation
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.training import rng_state
from gluon_yolo.training.callbacks.base import Callback
from gluon_yolo.training.callbacks.built_in import built_in
from gluon_yolo.training.callbacks.callback_list import CallbackList
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.engine import Engine, NotFinite
from gluon_yolo.training.engine_choice import make_engine
from gluon_yolo.training.metric_logger import MetricLogger
from gluon_yolo.training.pace import is_validated
from gluon_yolo.training.processes.base import Processes
from gluon_yolo.training.run_dir import RunFolder
from gluon_yolo.training.run_end import (
    Diverged,
    failed,
    log_ended,
    log_more_epochs,
    log_rolled_back,
    log_stopped,
)
from gluon_yolo.training.state import Progress
from gluon_yolo.training.teacher import Teacher
from gluon_yolo.training.train_loader import log_sampling, make_loader

log = logging.getLogger("gluon_yolo")

LOWER_RATE = 0.5  # factor of the learning rate at each roll-back


class Trainer:
    """Trains a network: epochs of steps, validations, and a checkpoint after each epoch.

    :class:`gluon_yolo.training.callbacks.base.TrainerView` describes its attributes.

    Args:
        config: the settings.
        net: with its starting weights; initialized on ``devices``, or for torch's engine on the CPU.
        train_data: the training images, checked by :class:`Learnable`.
        validation: computes the score that compares epochs.
        folder: the run folder.
        devices: of the engine (:func:`gluon_yolo.training.engine_choice.choose_engine`); the batch size is a
            multiple of their number (:func:`check_batch_size`).
        callbacks: the user's own, called after the trainer's.
        processes: which train together; None is this one alone. Only the first one calls callbacks, writes
            the run folder, and has a result.
        teacher: whose predictions are targets too; None is none.

    Attributes:
        stop: whether the run ends early, and why.

    Raises:
        UserError: ``callbacks`` is not a list of :class:`Callback` instances.
    """

    def __init__(
        self,
        config: TrainConfig,
        net: DetectionNetwork,
        train_data: Dataset,
        validation: Validation,
        folder: RunFolder,
        devices: Sequence[Any],
        callbacks: Sequence[Callback] = (),
        processes: Processes | None = None,
        teacher: Teacher | None = None,
    ):
        self.processes = processes or Processes()
        own, given = map(self.processes.callbacks, (built_in(config), callbacks))
        self.callbacks = CallbackList(own, given, self.failed)
        self.config = config
        self._net = net
        self.validation = validation
        self.folder = folder
        self.stop = self.processes.stop
        self.loader = make_loader(config, train_data, net, self.processes)
        self.batches = config.batches(len(self.loader))
        self.schedule = config.schedule(self.batches)
        self.step: Engine = make_engine(config, net, devices, self.processes, teacher)
        self.checkpoint = self.processes.checkpoint(folder)
        self.progress = Progress(
            net.zoo_name,
            net.spec.class_names,
            config.seed,
            epoch=config.start_epoch,
            step=config.start_epoch * self.batches,
            schedule=self.schedule.to_dict(),
            score_key=validation.score_key,
        )
        self.epoch = config.start_epoch
        self.batch: Batch | None = None
        self.learning_rate = self.schedule(self.progress.step)
        self.losses: dict[str, float] = {}
        self.metric_logger = MetricLogger(self.step.loss_names, self.batches)
        self.result: dict[str, Any] | None = None
        self.validation_images: np.ndarray | None = None
        self.error: BaseException | None = None
        rng_state.seed(config.seed)
        log_sampling(config, self.loader)

    @property
    def net(self) -> DetectionNetwork:
        """The network, with the parameters of the last step."""
        self.step.to_net()
        return self._net

    def resume(self) -> None:
        """Restore the run's last checkpoint.

        Raises:
            UserError: it is missing or damaged, or belongs to another network or to other data.
        """
        if (had := self._restore().schedule["total_epochs"]) != self.config.epochs:
            next_rate = self._scheduled_rate()
            log_more_epochs(had, self.config.epochs, self.progress, self.learning_rate, next_rate)
        self.progress.schedule = self.schedule.to_dict()
        log.info("resuming at epoch %d, batch %d", self.progress.epoch, self.progress.batch)

    def _restore(self) -> Progress:
        """Restore the run's last checkpoint, and return its position."""
        net = self._net
        progress = self.checkpoint.load(net, self.step.trainer, net.zoo_name, net.spec.class_names)
        self.step.from_net()
        if self.step.average:
            self.step.average.restart(self.checkpoint.average())
        if (before := progress.schedule["batches_per_epoch"]) != self.batches:
            raise SettingError(
                f"{self.folder.path}: its epochs had {before} batches, the data now gives {self.batches}: "
                f"restore the data, or start a new run from these weights: {{weights}} {self.folder.path}"
            )
        if progress.score_key not in (None, self.validation.score_key):
            raise UserError(
                f"{self.folder.path}: compares its epochs by {progress.score_key}, which is not measured now"
            )
        progress.score_key = self.validation.score_key
        progress.refuse_other_losses(self.checkpoint.last, self.step.loss_names)
        self.progress = progress
        self.learning_rate = self.step.trainer.learning_rate  # a callback may have changed the scheduled one
        if self.processes.is_first:
            self.folder.metrics.keep_before(progress.epoch)
        self.callbacks.load_state_dict(progress.callbacks, str(self.checkpoint.last))
        return progress

    def _roll_back(self, error: Diverged) -> None:
        """Restore the last checkpoint, and lower the learning rate from there on.

        Raises:
            SettingError: there is no checkpoint, or the run was rolled back often enough.
        """
        where, tries = self.progress, self.progress.rollbacks + 1
        if tries > self.config.rollbacks or not self.checkpoint.exists():
            advice = "Try a lower {lr} or more {warmup_epochs}, and look at the pictures' boxes"
            raise SettingError(f"{self.failed(str(error))}. {advice}") from error
        self._restore()
        self.progress.rollbacks = tries
        self.callbacks.call("rolled_back", self)
        log_rolled_back(str(error), where, self.progress, LOWER_RATE**tries, tries, self.config.rollbacks)

    def run(self) -> dict[str, Any] | None:
        """Train to the end.

        Returns:
            The numbers of the last validation; None if the training is stopped early.

        Raises:
            UserError: a loss is not finite, also after the roll-backs, or an image cannot be read any more.
        """
        with self.stop, self.loader, self.callbacks.training(self), self._keeping_error():
            while self.progress.epoch < self.config.epochs:
                try:
                    self._train_epoch(self.progress.epoch)
                    if not self.should_stop:
                        self._finish_epoch()
                    self._save()
                except Diverged as error:
                    self._roll_back(error)
                    continue
                self.processes.settle()
                if self.has_ended:
                    log_ended(self.stop.ending, self.progress, self.config.epochs, self.learning_rate)
                    break
                if self.should_stop and self.progress.epoch < self.config.epochs:
                    log_stopped(self.stop.by, self.progress, self.folder)
                    return None
        return self.result

    @contextlib.contextmanager
    def _keeping_error(self) -> Iterator[None]:
        """Keep the error of the block for ``on_train_end``."""
        try:
            yield
        except BaseException as error:
            self.error = error
            raise

    def _train_epoch(self, epoch: int) -> None:
        """Train the remaining batches of an epoch; fewer if ``should_stop`` is set."""
        self.epoch, progress, config = epoch, self.progress, self.config
        self.metric_logger = MetricLogger(self.step.loss_names, self.batches, progress.batch, progress.losses)
        self.callbacks.call("on_epoch_begin", self)
        batches = self.loader.epoch(epoch, progress.batch, config.mixup_in(epoch), config.mosaic_in(epoch))
        with contextlib.closing(batches):
            for batch in islice(batches, self.batches - progress.batch):
                self._train_step(batch)
                if self.should_stop:
                    break
        self.callbacks.call("on_steps_end", self)
        self.processes.settle()

    def _scheduled_rate(self) -> float:
        """Return the learning rate of the next step, lowered by each roll-back."""
        return self.schedule(self.progress.step + 1) * LOWER_RATE**self.progress.rollbacks

    def _train_step(self, batch: Batch) -> None:
        """Train one batch, and update the progress."""
        self.batch, self.learning_rate = batch, self._scheduled_rate()
        self.callbacks.call("on_step_begin", self)
        try:
            losses = self.step(batch, self.learning_rate)
        except NotFinite as error:
            raise Diverged(str(error)) from error
        self.losses = dict(zip(self.step.loss_names, losses.tolist()))
        self.metric_logger.add(losses, self.config.batch_size)
        self.progress.step += 1
        self.progress.batch = self.metric_logger.done
        self.progress.losses = tuple(self.metric_logger.sums)
        self.callbacks.call("on_step_end", self)
        self.batch = None

    def _finish_epoch(self) -> None:
        """Validate where it is due, and set the progress to the next epoch."""
        self.step.share_statistics()
        self._refuse_diverged()
        is_last = bool(self.stop.ending)
        if is_last or is_validated(self.epoch, self.config.epochs, self.config.val_interval):
            with self.step.averaged():
                self.callbacks.call("on_validation_begin", self)
                measured = self.validation.measure(self.step.predictor, self.processes.gathering)
                self.result, self.validation_images = measured
                self.callbacks.call("on_validation_end", self)
        self.callbacks.call("on_epoch_end", self)
        self.progress.epoch, self.progress.batch, self.progress.losses = self.epoch + 1, 0, ()

    def _save(self) -> None:
        self._refuse_diverged()
        self.progress.callbacks = self.callbacks.state_dict()
        self.progress.ended = self.stop.ending if self.has_ended else ""
        average = self.step.average.arrays() if self.step.average else None
        self.checkpoint.save(self.net, self.step.trainer, self.progress, average)
        with self.step.averaged():
            self.callbacks.call("on_checkpoint", self)

    @property
    def should_stop(self) -> bool:
        """Whether the run ends early, because of a signal or because a callback set this to True."""
        return bool(self.stop)

    @should_stop.setter
    def should_stop(self, value: bool) -> None:
        if value:
            self.stop.callback = self.stop.callback or self.callbacks.running or "should_stop"
        else:
            self.stop.callback = ""

    def end(self, reason: str) -> None:
        """End the training after the present epoch, as a finished one.

        Args:
            reason: for the log, and for the checkpoint.
        """
        self.stop.ending = self.stop.ending or reason

    @property
    def has_ended(self) -> bool:
        """Whether the present epoch is over, and is the last one because of :meth:`end`."""
        return bool(self.stop.ending) and self.epoch < self.progress.epoch < self.config.epochs

    def _refuse_diverged(self) -> None:
        """Raise Diverged if the weights are not finite, before they replace good ones on disk."""
        if not self.step.is_finite():
            raise Diverged("the weights are no longer finite numbers")

    def failed(self, what: str) -> str:
        """Return where and why the training failed, and what is saved of it."""
        return failed(what, self.progress, self.checkpoint)
