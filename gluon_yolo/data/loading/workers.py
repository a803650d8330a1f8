"""Workers that are threads: a function over many items, in order, ahead of the use of its results."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import cv2

from gluon_yolo.progress.bar import counting
from gluon_yolo.system.cpu import physical_cores

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


def prefetch(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, ahead: int
) -> Generator[Result, None, None]:
    """Yield ``function(item)`` for each item, in order, while threads already work on the next ones.

    Decoding and resizing release Python's lock, so threads run side by side; nothing is copied between
    processes. An exception of the function is raised in the place of its result. When the consumer stops, by
    an exception too, what has not begun is cancelled, and the threads have ended before control returns.

    Args:
        function: called from several threads at once.
        items: read in the consumer's thread, ``ahead`` of its use.
        workers: number of threads; 0 does the work in the consumer's thread, when it is asked for.
        ahead: results at most that are finished or in work beyond the one that the consumer holds.
    """
    if workers == 0:
        yield from map(function, items)
        return
    # OpenCV would cut each call into as many threads as there are processors: beside these workers and the
    # network's own threads that is more threads than processors, and slows all of them. The setting is the
    # whole process's.
    executor = ThreadPoolExecutor(workers, "gluon_yolo-loader", initializer=cv2.setNumThreads, initargs=(0,))
    source = iter(items)
    pending: deque[Future[Result]] = deque()
    try:
        pending.extend(executor.submit(function, item) for item in islice(source, max(1, ahead)))
        while pending:
            result = pending.popleft().result()
            pending.extend(executor.submit(function, item) for item in islice(source, 1))
            yield result
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
