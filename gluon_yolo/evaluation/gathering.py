"""Gathering: which batches of an evaluation this process computes, and how all results come together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from gluon_yolo.detections import Detections

Found = tuple[int, Detections]
"""The index of an image in the data set, and what was detected in it."""


class Gathering(Protocol):
    """Divides an evaluation among processes by whole batches, so that each batch is that of one process."""

    def batches(self, count: int) -> range:
        """Return which of ``count`` batches this process computes."""
        ...

    def gathered(self, found: Iterable[Found]) -> Iterator[Found] | None:
        """Return the detections of all processes in the order of the images, in one process.

        Args:
            found: the detections of this process. It must be read to its end in each process.

        Returns:
            The detections; None in the processes that do not compute the metrics.
        """
        ...


class Alone:
    """The gathering of one process: every batch, as they come."""

    def batches(self, count: int) -> range:
        """Return all batches."""
        return range(count)

    def gathered(self, found: Iterable[Found]) -> Iterator[Found] | None:
        """Return what was found, without collecting it first."""
        return iter(found)


ALONE = Alone()
