"""Map a function over many files in threads, with a progress bar."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from gluon_yolo.bars import counting
from gluon_yolo.cores import physical_cores
from gluon_yolo.data.prefetch import prefetch

_AHEAD = 64  # items for each thread: what is waiting takes room, too

Item = TypeVar("Item")
Result = TypeVar("Result")


def threaded_map(function: Callable[[Item], Result], items: Sequence[Item], title: str) -> list[Result]:
    """Return ``[function(item) for item in items]``, worked out by as many threads as there are cores.

    A bar called ``title`` shows the progress. An exception, Ctrl-C too, cancels what has not begun.
    """
    workers = physical_cores()
    with contextlib.closing(prefetch(function, items, workers, _AHEAD * workers)) as results:
        return list(counting(results, len(items), title, "file", leave=False))
