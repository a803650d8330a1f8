"""A process with a user's mxnet; in the test process it is set up for several CPU devices (``conftest.py``).

With that setup mxnet runs several float64 convolutions at the same time, and OpenBLAS then waits forever. A
kernel that ends its process, for example by a division by zero, ends only this one.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

_SETUP = ("MXNET_CPU_TEMP_COPY", "MXNET_CPU_WORKER_NTHREADS")
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
    """Remove the tests' own setup before mxnet is imported; a worker's one thread is part of it."""
    for name in (*_SETUP, *(["OMP_NUM_THREADS"] if "PYTEST_XDIST_WORKER" in os.environ else [])):
        os.environ.pop(name, None)


def _end() -> None:
    while _pools:
        _pools.pop().shutdown()
