"""MetricLogger: mean losses and speed of the present epoch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Callable

import numpy as np


class MetricLogger:
    """Adds up the batches of an epoch; it can continue the sums of an interrupted run.

    Args:
        names: of the losses.
        batches: of the whole epoch.
        done: batches that ``sums`` already contains.
        sums: the sum of each loss over those batches; zeros when empty.
        clock: returns seconds from any zero.

    Raises:
        ValueError: the number of sums differs from the number of names.
    """

    def __init__(
        self,
        names: Sequence[str],
        batches: int,
        done: int = 0,
        sums: Sequence[float] = (),
        clock: Callable[[], float] = time.perf_counter,
    ):
        if sums and len(sums) != len(names):
            raise ValueError(f"sums: expected {len(names)} ({', '.join(names)}), got {len(sums)}")
        self.names = tuple(names)
        self.batches = batches
        self.done = done
        self._sums = np.array(sums or [0.0] * len(names), dtype=np.float64)
        self._new_batches = 0
        self._new_images = 0
        self._clock = clock
        self._began = clock()

    def add(self, losses: np.ndarray, images: int) -> None:
        """Add the mean losses of a batch with this number of images."""
        self._sums += losses
        self.done += 1
        self._new_batches += 1
        self._new_images += images

    @property
    def sums(self) -> list[float]:
        """The sums of the losses, to continue from."""
        return self._sums.tolist()

    @property
    def means(self) -> np.ndarray:
        """The mean losses over the batches; NaN before the first."""
        return self._sums / self.done if self.done else np.full(len(self.names), np.nan)

    @property
    def seconds(self) -> float:
        """The seconds that this process has spent on the epoch."""
        return self._clock() - self._began

    @property
    def is_timed(self) -> bool:
        """Whether this process has trained a batch of the epoch."""
        return self._new_batches > 0

    @property
    def images_per_second(self) -> float:
        """The speed in this process; 0 before its first batch."""
        return self._new_images / self.seconds if self._new_batches else 0.0

    @property
    def minutes_left(self) -> float:
        """The estimated minutes to the end of the epoch; NaN before this process's first batch."""
        if not self._new_batches:
            return float("nan")
        return (self.batches - self.done) * self.seconds / self._new_batches / 60

    def short(self) -> str:
        """Return the total and the parts of the loss, and the speed, in short for a progress bar."""
        parts = " ".join(f"{mean:.2f}" for mean in self.means)
        return f"loss {self.means.sum():.2f} ({parts}) {self.images_per_second:.1f} pic/s"

    def __str__(self) -> str:
        """Return the total and the parts of the loss by name, the speed and the time, for the log."""
        parts = ", ".join(f"{name} {mean:.3f}" for name, mean in zip(self.names, self.means))
        speed = f"{self.images_per_second:.1f} pictures/s, {self.seconds:.0f} s"
        if self.done and not self._new_batches:
            speed = "trained before the run was stopped"
        return f"loss {self.means.sum():.3f} ({parts})  {speed}"

    def row(self) -> dict[str, Any]:
        """Return the epoch's columns of ``metrics.csv``; the speed is empty if another process trained it."""
        losses = dict(zip(self.names, self.means.tolist()))
        timed: dict[str, Any] = {"seconds": self.seconds, "pictures_per_second": self.images_per_second}
        if not self._new_batches:
            timed = dict.fromkeys(timed)
        return {**losses, "total": float(self.means.sum()), **timed}
