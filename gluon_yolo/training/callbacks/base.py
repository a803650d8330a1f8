"""Callback: user code that the trainer calls at fixed points, and what it can see of the trainer.

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
``on_checkpoint``. A resumed epoch has only its remaining batches, which may be none.

The trainer's own callbacks are called first, then the user's in the given order; ``on_train_end`` has the
reverse order. Files are written in this order::

    on_step_begin       pictures/train-batch-N.jpg of the first batches
    on_step_end         a line of log.jsonl, where it is asked for
    on_validation_end   pictures/validation.jpg, weights/best.params
    on_epoch_end        a row of metrics.csv, a line of log.jsonl, curves.png, weights/epoch-NNNN.params
                        weights/last, by the trainer
    on_checkpoint       report.html, where it is asked for
    on_train_end        report.html

Of several processes (``docs/scale.md``) only the first one calls callbacks. What they set counts for all:
``learning_rate``, and ``should_stop``, which in ``on_step_end`` ends the run one step later.

A training that diverges goes back to ``weights/last``: the states of the callbacks are restored, then
``rolled_back`` is called, and the epoch of the checkpoint begins anew.

A killed run resumes at ``weights/last`` and repeats what came after it, so what an epoch has to leave is
written before that. Of a run that was killed after its last epoch, a resume writes the report.

An exception in a hook ends the training, and ``weights/last`` stays as it is.
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
    from gluon_yolo.training.engine import Engine
    from gluon_yolo.training.lr_schedule import Schedule
    from gluon_yolo.training.metric_logger import MetricLogger
    from gluon_yolo.training.run_dir import RunFolder
    from gluon_yolo.training.state import Progress


class TrainerView(Protocol):
    """The attributes of the trainer that a callback can use.

    Attributes:
        config: the settings of the run.
        net: the network, with the parameters of the last step, to read. With ``ema`` it has the averaged
            ones from ``on_validation_begin`` to ``on_validation_end``, and in ``on_checkpoint``.
        folder: the run folder.
        validation: the validation images and metrics, and the score (``validation.score_key``) that compares
            epochs.
        loader: of the training batches.
        schedule: of the learning rate.
        step: trains one batch (:class:`gluon_yolo.training.engine.Engine`); it has the optimizer in gluon's
            form, ``step.trainer``.
        batches: steps of an epoch.
        progress: the content of the next checkpoint: the epoch and batch to continue with, the trained steps,
            the best score and its epoch.
        epoch: the present epoch, from 0; it stays the same until the next ``on_epoch_begin``.
        batch: the batch of the step, from ``on_step_begin`` to ``on_step_end``; None elsewhere.
        learning_rate: of the present or the last step. A value set in ``on_step_begin`` is used for the step.
        losses: of the last step, by name, means over its images; empty before the first step.
        metric_logger: mean losses over the epoch, and its speed.
        result: the numbers of this process's last validation by name, such as ``AP50``, set before
            ``on_validation_end``; None before the first validation.
        validation_images: (H, W, 3) uint8 RGB, set with ``result``: a grid of the first validation images
            with their detections.
        error: the exception that ends the training, set before ``on_train_end``; None without one.
        should_stop: whether the training ends early. A callback can set it to True; Ctrl-C does too. If it is
            set up to ``on_steps_end``, the training ends after the present step, else after the epoch. The
            state is saved, and the run can be resumed.
        end: a function that takes the reason and ends the training after the present epoch. The epoch is
            trained whole and saved, and the run counts as finished. Called up to ``on_steps_end``, the
            epoch is validated too.
    """

    config: TrainConfig
    folder: RunFolder
    validation: Validation
    loader: TrainLoader
    schedule: Schedule
    step: Engine
    batches: int
    progress: Progress
    epoch: int
    batch: Batch | None
    learning_rate: float
    losses: dict[str, float]
    metric_logger: MetricLogger
    result: dict[str, Any] | None
    validation_images: np.ndarray | None
    error: BaseException | None
    should_stop: bool

    @property
    def net(self) -> DetectionNetwork:  # noqa: D102
        ...

    def end(self, reason: str) -> None:  # noqa: D102
        ...


class Callback:
    """Base class of callbacks; a subclass overrides the hooks that it needs.

    Every hook gets the trainer; :class:`TrainerView` lists what can be used.

    Example:
        >>> class StopAtGoal(Callback):
        ...     def on_validation_end(self, trainer):
        ...         if trainer.result["AP50"] > 0.9:
        ...             trainer.should_stop = True
    """

    def on_train_begin(self, trainer: TrainerView) -> None:
        """Called before the first epoch of this process; the state of a resumed run is restored by then."""

    def on_train_end(self, trainer: TrainerView) -> None:
        """Called last, also after a stop or an error; close here what was opened."""

    def on_epoch_begin(self, trainer: TrainerView) -> None:
        """Called before the batches of an epoch; ``progress.batch`` is above 0 in an interrupted epoch."""

    def on_steps_end(self, trainer: TrainerView) -> None:
        """Called after the last step of an epoch, before its validation; the mean losses are complete.

        If ``should_stop`` is set, the last step is the one before the stop.
        """

    def on_epoch_end(self, trainer: TrainerView) -> None:
        """Called after the steps and the validation of an epoch, before its checkpoint is saved."""

    def on_step_begin(self, trainer: TrainerView) -> None:
        """Called before a step; ``batch`` and ``learning_rate`` are those of the step."""

    def on_step_end(self, trainer: TrainerView) -> None:
        """Called after a step: the parameters are updated, and ``losses`` and ``progress`` include it."""

    def on_validation_begin(self, trainer: TrainerView) -> None:
        """Called before a validation, which scores the present parameters of ``net``."""

    def on_validation_end(self, trainer: TrainerView) -> None:
        """Called after a validation; ``progress.best_epoch`` is ``epoch`` if ``result`` is the best."""

    def on_checkpoint(self, trainer: TrainerView) -> None:
        """Called after ``weights/last`` is saved; ``progress`` is its content.

        ``progress.epoch`` is ``epoch + 1`` after a whole epoch, and ``epoch`` if the run stops within it.
        """

    def rolled_back(self, trainer: TrainerView) -> None:
        """Called when the training has gone back to its last checkpoint because it diverged.

        ``progress`` and the state of the callback are those of the checkpoint; what came after it is void.
        """

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the callback for :meth:`load_state_dict`: plain values, fit for JSON.

        It is called before each checkpoint is saved, after ``on_epoch_end``.
        """
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the result of :meth:`state_dict`; called before ``on_train_begin``, and at a roll-back.

        It is not called if the checkpoint has no state of this callback.

        Args:
            state: as JSON returns it: lists instead of tuples, and text as keys.
        """


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))
