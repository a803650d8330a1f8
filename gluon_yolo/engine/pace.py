"""Pace: how long a training's batches and validations take, and what is left of them."""

from __future__ import annotations

import math


class Pace:
    """Adds up what this process has spent, and works out what the rest of the training will take.

    Args:
        batches: of an epoch.
        epochs: of the whole training.
        val_interval: epochs between validations; the last epoch is always validated.
    """

    def __init__(self, batches: int, epochs: int, val_interval: int = 1):
        """Know nothing yet."""
        self.batches = batches
        self.epochs = epochs
        self.val_interval = val_interval
        self._batch_seconds: list[float] = []
        self._ends: dict[
            bool, float
        ] = {}  # seconds behind an epoch's last batch, with a validation and without

    def add_batch(self, seconds: float) -> None:
        """Count a batch: reading it, training on it, and what else it took."""
        self._batch_seconds.append(seconds)

    def add_end(self, seconds: float, validated: bool) -> None:
        """Note what came behind an epoch's batches: validation, if any, saving, curves."""
        self._ends[validated] = seconds

    @property
    def seconds_per_batch(self) -> float:
        """The mean of a batch, without the very first, which plans everything; NaN before there is one."""
        seconds = self._batch_seconds[1:] or self._batch_seconds
        return sum(seconds) / len(seconds) if seconds else math.nan

    def is_validated(self, epoch: int) -> bool:
        """Say whether an epoch ends with a validation."""
        return epoch == self.epochs - 1 or (epoch + 1) % self.val_interval == 0

    def epoch_left(self, batch: int) -> float:
        """Return the seconds that an epoch's batches from ``batch`` on will take."""
        return (self.batches - batch) * self.seconds_per_batch

    def training_left(self, epoch: int, batch: int) -> float:
        """Return the seconds from a batch of an epoch to the training's end, as far as they are known."""
        batches = (self.epochs - epoch) * self.batches - batch
        ends = sum(self._ends.get(self.is_validated(each), 0.0) for each in range(epoch, self.epochs))
        return batches * self.seconds_per_batch + ends

    def left(self, epoch: int, batch: int) -> str:
        """Say what is left of an epoch and of the training; of the validations once one was seen."""
        if not self._batch_seconds:
            return "the first batch is under way"
        more = "" if True in self._ends else ", without validations"
        return (
            f"{duration(self.epoch_left(batch))} left in this epoch, "
            f"{duration(self.training_left(epoch, batch))} of the training{more}"
        )


def duration(seconds: float) -> str:
    """Return a time as people say it: ``40 s``, ``7.5 min``, ``3 h 20 min``, ``2 d 4 h``."""
    if not math.isfinite(seconds):
        return "?"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 99.5:
        return f"{minutes:.1f} min" if minutes < 9.95 else f"{minutes:.0f} min"
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
