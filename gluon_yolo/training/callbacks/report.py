"""Report: writes ``report.html``, the page of a run, while the training goes on and at its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.errors import UserError
from gluon_yolo.evaluation.report import evaluation_sections
from gluon_yolo.report.labels import LabelStatistics
from gluon_yolo.report.page import Section, require_packages
from gluon_yolo.report.run import FAILED, FILE, FINISHED, STOPPED, TRAINING, RunState, run_page
from gluon_yolo.text import first_line
from gluon_yolo.training.callbacks.base import Callback, TrainerView
from gluon_yolo.training.config import PLAIN_DEFAULTS
from gluon_yolo.training.step_losses import StepLosses

LEAST_SECONDS = 30.0  # between two pages of a training that goes on
_SHARE = 0.02  # of the time of the training that pages may take

log = logging.getLogger("gluon_yolo")


class Report(Callback):
    """Writes the page at the first validation, then after epochs, and at the end of the training.

    Pages are at least 30 seconds apart, and so far that they take 2 % of the time at most. The first and the
    last one are written in any case.

    Args:
        clock: returns seconds from any zero.
    """

    def __init__(self, clock: Any = time.monotonic) -> None:
        require_packages()
        self._steps = StepLosses()
        self._labels: Sequence[LabelStatistics] | None = None
        self._sections: Sequence[Section] = []
        self._is_new = False  # a validation without sections
        self._clock = clock
        self._next = 0.0  # when a page may be written again

    def on_step_end(self, trainer: TrainerView) -> None:
        """Keep the losses of the step."""
        self._steps.add(trainer.progress.step, trainer.learning_rate, trainer.losses)

    def on_validation_end(self, trainer: TrainerView) -> None:
        """Remember that there are new results."""
        self._is_new = True

    def on_checkpoint(self, trainer: TrainerView) -> None:
        """Write the page where one is due: the row of the epoch is there by now."""
        if trainer.progress.epoch > trainer.epoch and self._clock() >= self._next:
            began = self._clock()
            self._try(trainer, TRAINING)
            ended = self._clock()
            self._next = ended + max(LEAST_SECONDS, (ended - began) / _SHARE)

    def on_train_end(self, trainer: TrainerView) -> None:
        """Write the page of the end: finished, stopped, or failed with its error."""
        if trainer.error is not None:
            state = STOPPED if isinstance(trainer.error, KeyboardInterrupt) else FAILED
        else:
            state = FINISHED if trainer.progress.epoch >= trainer.config.epochs else STOPPED
        self._try(trainer, state)

    def state_dict(self) -> dict[str, Any]:
        """Return the losses by step."""
        return self._steps.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the losses by step."""
        self._steps.load_state_dict(state)

    def _try(self, trainer: TrainerView, state: str) -> None:
        """Write the page; warn where that fails, since a training is worth more than its page."""
        try:
            self._write(trainer, state)
        except Exception as error:
            log.warning("%s: not written: %s", trainer.folder.path / FILE, _told(error))

    def _write(self, trainer: TrainerView, state: str) -> None:
        folder, progress = trainer.folder, trainer.progress
        if self._labels is None:
            data: tuple[Dataset, Dataset] = (trainer.loader.dataset, trainer.validation.dataset)
            self._labels = [LabelStatistics.of(part) for part in data]
        run = RunState(
            folder=folder.path,
            args=folder.args(),
            network=progress.network,
            class_names=progress.class_names,
            state=state,
            epochs=progress.epoch,
            rows=folder.metrics.rows(),
            steps=self._steps.columns(),
            score_key=progress.score_key,
            best_score=progress.best_score,
            best_epoch=progress.best_epoch,
            error=_told(trainer.error),
            defaults=PLAIN_DEFAULTS,
            devices=[str(device) for device in trainer.step.devices],
            engine=trainer.config.engine,
        )
        run_page(run, self._labels, self._evaluation(trainer)).write(folder.path / FILE)

    def _evaluation(self, trainer: TrainerView) -> Sequence[Section]:
        """Return the sections of the last validation, made once for each."""
        if self._is_new and trainer.result is not None:
            details = trainer.validation.details(trainer.result)
            about = f"Of the validation after epoch {trainer.epoch}."
            self._sections = [] if details is None else evaluation_sections(trainer.result, details, about)
            self._is_new = False
        return self._sections


def _told(error: BaseException | None) -> str:
    """Return the message of an error; empty without one."""
    if error is None or isinstance(error, UserError):
        return str(error or "")
    return f"{type(error).__name__}: {first_line(error)}"
