"""Thread workers: apply a function to many items in order, ahead of the use of its results."""

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

_AHEAD = 64  # items per thread; finished results that wait need memory

Item = TypeVar("Item")
Result = TypeVar("Result")


def threaded_map(function: Callable[[Item], Result], items: Sequence[Item], title: str) -> list[Result]:
    """Return ``[function(item) for item in items]``, computed by as many threads as there are cores.

    A bar with ``title`` shows the progress. An exception, also Ctrl-C, cancels items that have not begun.
    """
    workers = physical_cores()
    with contextlib.closing(prefetch(function, items, workers, _AHEAD * workers)) as results:
        return list(counting(results, len(items), title, "file", leave=False))


def prefetch(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, ahead: int
) -> Generator[Result, None, None]:
    """Yield ``function(item)`` for each item in order, while threads process the next items.

    Decoding and resizing release Python's lock, so threads run in parallel, and nothing is copied between
    processes. An exception of the function is raised in place of its result. When the consumer stops, also by
    an exception, items that have not begun are cancelled, and all threads have ended when control returns.

    Args:
        function: called from several threads at once.
        items: read in the consumer's thread, ``ahead`` of their use.
        workers: number of threads; 0 computes each result in the consumer's thread when it is needed.
        ahead: maximum number of results that are finished or in progress besides the consumer's.
    """
    if workers == 0:
        yield from map(function, items)
        return
    # OpenCV uses as many threads per call as there are processors. With these workers and the network's own
    # threads that is more threads than processors, and slows all of them. The setting applies to the whole
    # process.
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
