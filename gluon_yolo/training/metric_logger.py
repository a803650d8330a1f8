"""MetricLogger: what an epoch of training has come to so far."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Callable

import numpy as np


class MetricLogger:
    """Adds up an epoch's batches; it can go on from what an interrupted run had added up.

    Args:
        names: of the losses.
        batches: of the whole epoch.
        done: batches that are in ``sums`` already.
        sums: of each loss over those batches; zeros when empty.
        clock: returns seconds, from whatever zero.

    Raises:
        ValueError: when there are not as many sums as names.
    """

    def __init__(
        self,
        names: Sequence[str],
        batches: int,
        done: int = 0,
        sums: Sequence[float] = (),
        clock: Callable[[], float] = time.perf_counter,
    ):
        """Start the clock."""
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
        """Count a batch of so many images with its mean losses."""
        self._sums += losses
        self.done += 1
        self._new_batches += 1
        self._new_images += images

    @property
    def sums(self) -> list[float]:
        """The sums to go on from."""
        return self._sums.tolist()

    @property
    def means(self) -> np.ndarray:
        """The losses' means over the batches; NaN before the first."""
        return self._sums / self.done if self.done else np.full(len(self.names), np.nan)

    @property
    def seconds(self) -> float:
        """How long this process has worked on the epoch."""
        return self._clock() - self._began

    @property
    def is_timed(self) -> bool:
        """Whether this process has trained any of its batches."""
        return self._new_batches > 0

    @property
    def images_per_second(self) -> float:
        """The speed of this process; 0 before its first batch."""
        return self._new_images / self.seconds if self._new_batches else 0.0

    @property
    def minutes_left(self) -> float:
        """How long the rest of the epoch will take at this process's speed; NaN before its first batch."""
        if not self._new_batches:
            return float("nan")
        return (self.batches - self.done) * self.seconds / self._new_batches / 60

    def short(self) -> str:
        """Return the losses' total and parts and the speed in a few letters, for a progress bar."""
        parts = " ".join(f"{mean:.2f}" for mean in self.means)
        return f"loss {self.means.sum():.2f} ({parts}) {self.images_per_second:.1f} pic/s"

    def __str__(self) -> str:
        """Return the losses' total and parts by name, speed and time, for the log."""
        parts = ", ".join(f"{name} {mean:.3f}" for name, mean in zip(self.names, self.means))
        speed = f"{self.images_per_second:.1f} pictures/s, {self.seconds:.0f} s"
        if self.done and not self._new_batches:
            speed = "trained before the run was stopped"
        return f"loss {self.means.sum():.3f} ({parts})  {speed}"

    def row(self) -> dict[str, Any]:
        """Return the epoch's columns of ``metrics.csv``; no speed where it was trained before."""
        losses = dict(zip(self.names, self.means.tolist()))
        timed: dict[str, Any] = {"seconds": self.seconds, "pictures_per_second": self.images_per_second}
        if not self._new_batches:
            timed = dict.fromkeys(timed)
        return {**losses, "total": float(self.means.sum()), **timed}
