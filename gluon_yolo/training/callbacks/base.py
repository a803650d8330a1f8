"""Callback: code that the trainer calls at set points of a training, and what it sees there.

The hooks of a training, in their order::

    on_train_begin
    for each epoch:
        on_epoch_begin
        for each batch:
            on_step_begin
            on_step_end
        on_steps_end
        where a validation is due:
            on_validation_begin
            on_validation_end
        on_epoch_end
        on_checkpoint
    on_train_end

A run that stops within an epoch (:attr:`TrainerView.should_stop`) goes from ``on_steps_end`` to
``on_checkpoint``. A resumed epoch has its remaining batches only, which may be none.

The trainer's own callbacks are called first, then the user's in the order given; ``on_train_end`` has the
reverse order. Files are written in this order::

    on_step_begin       pictures/train-batch-N.jpg of the first batches
    on_validation_end   pictures/validation.jpg, weights/best.params
    on_epoch_end        a row of metrics.csv
                        weights/last, by the trainer
    on_checkpoint       curves.png, weights/epoch-NNNN.params

A run that is killed resumes at ``weights/last``: what came after it is done again. An exception in a hook
ends the training, and ``weights/last`` stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np

    from gluon_yolo.data.loading.collate import Batch
    from gluon_yolo.data.loading.loader import TrainLoader
    from gluon_yolo.evaluation.validation import Validation
    from gluon_yolo.models.detector import DetectionNetwork
    from gluon_yolo.training.config import TrainConfig
    from gluon_yolo.training.lr_schedule import Schedule
    from gluon_yolo.training.metric_logger import MetricLogger
    from gluon_yolo.training.run_dir import RunFolder
    from gluon_yolo.training.state import Progress
    from gluon_yolo.training.step import TrainStep


class TrainerView(Protocol):
    """What a callback sees of the trainer.

    Attributes:
        config: what the run is asked for.
        net: the network; its parameters are those of the last step.
        folder: where the run keeps everything.
        validation: the images, metrics and score (``validation.score_key``) that compare epochs.
        loader: of the training batches.
        schedule: of the learning rate.
        step: network, losses and optimizer (``step.trainer``, gluon's) of one step.
        batches: steps of an epoch.
        progress: what the next checkpoint says: the epoch and batch to go on with, the steps trained, the
            best score and its epoch.
        epoch: the epoch that goes on, from 0; it stays the same until the next ``on_epoch_begin``.
        batch: the batch of the step, from ``on_step_begin`` to ``on_step_end``; None elsewhere.
        learning_rate: of the step that goes on or was the last; one that is set in ``on_step_begin`` is used.
        losses: of the last step, by name, means over its images; empty before the first.
        metric_logger: means of the losses over the epoch, and its speed.
        result: of the last validation of this process, set before ``on_validation_end``: a number by its
            name, such as ``AP50``; None before the first.
        validation_images: (H, W, 3) uint8 RGB, set with ``result``: a grid of the first validated images with
            what was found in them.
        should_stop: whether the training ends early. A callback sets it to True, and Ctrl-C does. A training
            that is asked up to ``on_steps_end`` ends after the step that goes on, later after the epoch. It
            is saved, and can be resumed.
    """

    config: TrainConfig
    net: DetectionNetwork
    folder: RunFolder
    validation: Validation
    loader: TrainLoader
    schedule: Schedule
    step: TrainStep
    batches: int
    progress: Progress
    epoch: int
    batch: Batch | None
    learning_rate: float
    losses: dict[str, float]
    metric_logger: MetricLogger
    result: dict[str, Any] | None
    validation_images: np.ndarray | None
    should_stop: bool


class Callback:
    """Base of all callbacks; a subclass overrides the hooks that it needs.

    A hook gets the trainer, of which :class:`TrainerView` says what there is.
    """

    def on_train_begin(self, trainer: TrainerView) -> None:
        """Run before the first epoch of this process; a resumed run has restored its checkpoint by then."""

    def on_train_end(self, trainer: TrainerView) -> None:
        """Run last, however the training ends: finished, stopped, or by an error; close what was opened."""

    def on_epoch_begin(self, trainer: TrainerView) -> None:
        """Run before an epoch's batches; ``progress.batch`` is above 0 where an interrupted epoch goes on."""

    def on_steps_end(self, trainer: TrainerView) -> None:
        """Run after an epoch's last step: the losses' means are complete, and the validation comes next.

        Where ``should_stop`` is set, it is the last step before the stop.
        """

    def on_epoch_end(self, trainer: TrainerView) -> None:
        """Run after an epoch's steps and its validation, before its checkpoint is saved."""

    def on_step_begin(self, trainer: TrainerView) -> None:
        """Run before a step: ``batch`` and ``learning_rate`` are those of the step."""

    def on_step_end(self, trainer: TrainerView) -> None:
        """Run after a step: the parameters are updated, ``losses`` and ``progress`` count it."""

    def on_validation_begin(self, trainer: TrainerView) -> None:
        """Run before a validation, which scores the parameters that ``net`` has then."""

    def on_validation_end(self, trainer: TrainerView) -> None:
        """Run after a validation; ``progress.best_epoch`` is ``epoch`` where ``result`` is the best yet."""

    def on_checkpoint(self, trainer: TrainerView) -> None:
        """Run after ``weights/last`` is saved: ``progress`` is what was saved.

        ``progress.epoch`` is ``epoch + 1`` after a whole epoch, and ``epoch`` where the run stops within it.
        """

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run gives to :meth:`load_state_dict`: plain values, fit for JSON.

        It is taken just before each checkpoint is saved, after ``on_epoch_end``.
        """
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned, before ``on_train_begin``.

        It is not called where the checkpoint has no state of this callback.

        Args:
            state: as JSON gives it back: lists in the place of tuples, text in the place of other keys.
        """


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))
