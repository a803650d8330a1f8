"""Pace: the estimated time to the end of a training, from the times measured in this process."""

from __future__ import annotations

import math
import time
from typing import Callable

BATCH, VALIDATION, END = "batch", "validation", "end"  # what takes time; END is saving and drawing
# Time of an image's forward pass relative to its training step, until a validation has been measured.
FORWARD = 1 / 3


def is_validated(epoch: int, epochs: int, val_interval: int) -> bool:
    """Return whether an epoch ends with a validation; the last one always does."""
    return epoch == epochs - 1 or (epoch + 1) % val_interval == 0


class Pace:
    """Measures the time of batches, validations and epoch ends, and estimates the time that is left.

    Args:
        batches: of an epoch.
        epochs: of the whole training.
        val_interval: epochs between validations; the last epoch always has one.
        val_batches: images of a validation divided by the batch size.
        clock: returns seconds from any zero.
    """

    def __init__(
        self,
        batches: int,
        epochs: int,
        val_interval: int,
        val_batches: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._batches, self._epochs = batches, epochs
        self._val_interval, self._val_batches = val_interval, val_batches
        self._clock = clock
        self._seconds = dict.fromkeys((BATCH, VALIDATION, END), 0.0)
        self._counts = dict.fromkeys((BATCH, VALIDATION, END), 0)
        self._since = clock()

    def spent(self, on: str) -> None:
        """Count one ``BATCH``, ``VALIDATION`` or ``END``; it took the time since the last call."""
        now = self._clock()
        self._seconds[on] += now - self._since
        self._counts[on] += 1
        self._since = now

    def is_validated(self, epoch: int) -> bool:
        """Return whether an epoch ends with a validation."""
        return is_validated(epoch, self._epochs, self._val_interval)

    def training_left(self, epoch: int, batch: int) -> float:
        """Return the seconds to the end of the training; NaN before the first batch.

        Args:
            epoch: the present epoch.
            batch: the first batch of the epoch that is not trained.
        """
        epochs = range(epoch, self._epochs)
        validations = sum(map(self.is_validated, epochs))
        a_validation = self._mean(VALIDATION)
        if math.isnan(a_validation):
            a_validation = self._val_batches * FORWARD * self._mean(BATCH)
        an_end = self._mean(END) if self._counts[END] else 0.0
        batches = len(epochs) * self._batches - batch
        return batches * self._mean(BATCH) + validations * a_validation + len(epochs) * an_end

    def _mean(self, of: str) -> float:
        return self._seconds[of] / self._counts[of] if self._counts[of] else float("nan")
