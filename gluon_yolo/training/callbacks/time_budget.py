"""TimeBudget: ends a training with the last whole epoch for which there is time."""

from __future__ import annotations

import time
from typing import Any, Callable

from gluon_yolo.text import duration
from gluon_yolo.training.callbacks.base import Callback, TrainerView


class TimeBudget(Callback):
    """Ends the training with an epoch after which no other one fits into the time.

    It decides after the steps of an epoch, so that the last one is validated whatever the interval of
    validations is. Another epoch is expected to take as long as the steps of this one, and the longest
    validation and checkpoint so far. The time of all processes of a run counts, not the time between them.

    Args:
        seconds: of the whole training, above 0.
        clock: returns seconds from any zero.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._before = 0.0  # seconds of earlier processes
        self._began: float | None = None  # when this process began to train
        self._rest = 0.0  # seconds from the last step of an epoch to the next epoch, the longest so far
        self._steps_ended: float | None = None

    def on_train_begin(self, trainer: TrainerView) -> None:
        """Start the clock."""
        self._began = self._clock()

    def on_epoch_begin(self, trainer: TrainerView) -> None:
        """Measure what came after the steps of the last epoch."""
        if self._steps_ended is not None:
            self._rest = max(self._rest, self._clock() - self._steps_ended)

    def on_steps_end(self, trainer: TrainerView) -> None:
        """End the training with this epoch if no other one fits."""
        self._steps_ended = self._clock()
        if trainer.should_stop or trainer.epoch + 1 >= trainer.config.epochs:
            return
        speed, images = trainer.metric_logger.images_per_second, trainer.batches * trainer.config.batch_size
        another = self._rest + (images / speed if speed else 0.0)
        left = max(0.0, self._seconds - self._spent() - self._rest)  # when this epoch is over
        if another > left:
            trainer.end(
                f"of {duration(self._seconds)} there are about {duration(left)} left, and another epoch "
                f"takes {duration(another)}"
            )

    def _spent(self) -> float:
        return self._before + (self._clock() - self._began if self._began is not None else 0.0)

    def state_dict(self) -> dict[str, Any]:
        """Return the seconds of the training so far."""
        return {"seconds": self._spent()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Count the seconds of earlier processes; a roll-back in this one changes nothing."""
        if self._began is None:
            self._before = float(state["seconds"])
