"""Account: what a training says of itself on its way."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Callable

from gluon_yolo.engine.pace import Pace, duration
from gluon_yolo.engine.progress import Progress
from gluon_yolo.engine.tally import Tally
from gluon_yolo.engine.validation import Validation

# What metrics.csv and the log keep of a validation.
SCORES = ("fitness", "AP", "AP50", "VOC07_mAP50", "VOC_mAP50")

log = logging.getLogger("gluon_yolo")


class Account:
    """Logs how a training goes, and knows what to say when somebody asks.

    Args:
        pace: of the training.
        validation: of the training.
        rate: returns the learning rate of now.
        clock: tells seconds.
    """

    def __init__(
        self, pace: Pace, validation: Validation, rate: Callable[[], float], clock: Callable[[], float]
    ):
        """Know of nothing yet."""
        self.pace = pace
        self._validation = validation
        self._rate = rate
        self._clock = clock
        self._epoch = 0
        self._tally: Tally | None = None
        self._behind = 0.0  # when what follows an epoch's batches began

    def begin_epoch(self, epoch: int, tally: Tally) -> None:
        """Take an epoch's tally."""
        self._epoch, self._tally = epoch, tally

    def batches(self) -> None:
        """Log how far the epoch's batches are."""
        log.info("%s", self._batches())

    def trained(self, waited: float) -> None:
        """Log an epoch's losses, with the percentage of its time that went to waiting for data."""
        tally = self._tally
        if tally is None or not tally.is_new:
            log.info("epoch %d  its batches were trained before", self._epoch)
            return
        text = "epoch %d  lr %.3g  %s, %.1f %% of it waiting for data"
        log.info(text, self._epoch, self._rate(), tally, waited)

    def begin_end(self) -> None:
        """Take note that validation and saving begin."""
        self._behind = self._clock()

    def ended(self, validated: bool) -> None:
        """Take note that they are over."""
        self.pace.add_end(self._clock() - self._behind, validated)

    def validated(self, result: Mapping[str, Any], key: str, progress: Progress) -> None:
        """Log a validation's numbers, the one that decides first."""
        names = [key, *(name for name in SCORES if name in result and name != key)]
        numbers = "  ".join(f"{name} {float(result[name]):.4f}" for name in names)
        best = f"best {progress.best_score:.4f} at epoch {progress.best_epoch}"
        log.info("epoch %d  %s  (%s)", self._epoch, numbers, best)

    def under_way(self) -> str:
        """Say what is under way, for who has heard nothing for a while."""
        done, tally = self._validation.done, self._tally
        if done is not None:
            return self._validating(done)
        if tally is None or tally.done == tally.batches:
            return f"epoch {self._epoch}  what follows its batches is under way"
        return self._batches()

    def _batches(self) -> str:
        tally = self._tally
        assert tally is not None
        at = f"epoch {self._epoch} batch {tally.done}/{tally.batches}"
        left = self.pace.left(self._epoch, tally.done)
        return f"{at}  lr {self._rate():.3g}  {tally}, {left}" if tally.is_new else f"{at}  {left}"

    def _validating(self, done: int) -> str:
        pictures = len(self._validation.dataset)
        text = f"epoch {self._epoch}  validation: {done:,} of {pictures:,} pictures"
        if not done:
            return text
        if done == pictures:
            return f"{text}, counting"
        seconds = (self._clock() - self._behind) / done * (pictures - done)
        rest = self.pace.training_left(self._epoch + 1, 0)
        return f"{text}, {duration(seconds)} left in it, {duration(seconds + rest)} of the training"
