"""Map a function over many files in threads, with a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tqdm import tqdm

from gluon_yolo.cores import physical_cores

Item = TypeVar("Item")
Result = TypeVar("Result")


def threaded_map(function: Callable[[Item], Result], items: Sequence[Item], title: str) -> list[Result]:
    """Return ``[function(item) for item in items]``, worked out by as many threads as there are cores.

    A bar called ``title`` shows the progress where standard error is a terminal. An exception, Ctrl-C too,
    cancels what has not begun.
    """
    executor = ThreadPoolExecutor(max_workers=physical_cores())
    try:
        results = executor.map(function, items)
        return list(tqdm(results, total=len(items), desc=title, leave=False, disable=None))
    finally:
        executor.shutdown(cancel_futures=True)
