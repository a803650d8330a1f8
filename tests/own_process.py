"""A process with a user's number of threads; a worker of the tests has one (``conftest.py``).

A kernel that ends its process, for example by a division by zero, ends only this one.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

_pools: list[ProcessPoolExecutor] = []


def call(function: Callable[..., Any], *args: Any) -> Any:
    """Return the result of a function in that process, which stays for the next call.

    Args:
        function: importable by module and name.
        *args: picklable.
    """
    if not _pools:
        spawn = multiprocessing.get_context("spawn")
        _pools.append(ProcessPoolExecutor(1, mp_context=spawn, initializer=_begin))
        atexit.register(_end)
    try:
        return _pools[0].submit(function, *args).result()
    except BrokenProcessPool as error:
        _end()
        raise AssertionError(f"{function.__name__}{args}: mxnet ended the process") from error


def once(function: Callable[..., Any], *args: Any) -> Any:
    """Return the result of a function in a process that ends with it, and gives its memory back."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=_begin) as pool:
        return pool.submit(function, *args).result()


def _begin() -> None:
    """Remove a worker's number of threads before mxnet is imported."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.pop("OMP_NUM_THREADS", None)


def _end() -> None:
    while _pools:
        _pools.pop().shutdown()
