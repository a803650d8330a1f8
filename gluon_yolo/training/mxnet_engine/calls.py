"""Calls of mxnet's kernels that take several arrays: how many arrays, and which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

TOGETHER = 45
"""The most arrays of one call, as in mxnet's SGD. AdamW's kernel has room for 50, and mxnet 1.9.1 writes
beyond its memory where there are more; that for SGD does from 60 on."""

# mxnet's SGD always calls the kernel for several parameters, whose inner loop is over the parameters: 9.1
# instead of 4.2 ms for 5.2 million elements on two threads.
LARGE = 2**14
"""Elements of an array from which a call of its own is faster."""

Item = TypeVar("Item")


def groups(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Yield items in groups of ``TOGETHER`` at most, in their order."""
    for start in range(0, len(items), TOGETHER):
        yield items[start : start + TOGETHER]
