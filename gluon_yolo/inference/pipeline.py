"""Threads that read ahead of, and write behind, the thread that computes.

Both keep the order, hold a few items at most, pass errors on to the thread that uses them, and end their
thread at the end of their ``with`` block.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Callable, Generic, TypeVar

Item = TypeVar("Item")
HELD = 4
_PATIENCE = 0.1  # seconds between checks whether the other side has stopped
_END = object()


class _Failure:
    """An exception that is passed to another thread."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class ReadAhead(Generic[Item]):
    """Iterate over items that a thread reads ahead; a context manager.

    Args:
        items: to read; an error is raised in place of the item that it prevented.
        held: largest number of items that wait to be used.
        stop: function that is called at the end of the block, before the thread is joined, to end the
            reading.
    """

    def __init__(
        self, items: Iterable[Item], held: int = HELD, stop: Callable[[], None] | None = None
    ) -> None:
        self._items = items
        self._stop = stop
        self._queue: queue.Queue[Any] = queue.Queue(held)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, name="gluon_yolo-read", daemon=True)

    def __iter__(self) -> Iterator[Item]:
        """Yield the items in order."""
        while True:
            item = self._queue.get()
            if item is _END:
                return
            if isinstance(item, _Failure):
                raise item.error
            yield item

    def __enter__(self) -> ReadAhead[Item]:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._stop is not None:
            self._stop()
        self._thread.join()

    def _read(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
            self._put(_END)
        except BaseException as error:
            self._put(_Failure(error))

    def _put(self, item: Any) -> bool:
        """Put an item into the queue; return False when the block has ended."""
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=_PATIENCE)
                return True
            except queue.Full:
                continue
        return False


class WriteBehind(Generic[Item]):
    """Pass items to a thread that writes them in order; a context manager.

    The end of the block waits until all items are written, also after Ctrl-C; after any other error waiting
    items are dropped.

    Args:
        write: function that is called with each item, in that thread. Its error is raised by the next
            :meth:`put`, or at the end of the block.
        held: largest number of items that wait to be written.
    """

    def __init__(self, write: Callable[[Item], Any], held: int = HELD) -> None:
        self._write = write
        self._queue: queue.Queue[Any] = queue.Queue(held)
        self._failure: BaseException | None = None
        self._dropping = False
        self._thread = threading.Thread(target=self._work, name="gluon_yolo-write", daemon=True)

    def put(self, item: Item) -> None:
        """Add an item; wait while the queue is full."""
        self._raise()
        self._queue.put(item)

    def __enter__(self) -> WriteBehind[Item]:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dropping = kind is not None and not issubclass(kind, KeyboardInterrupt)
        self._queue.put(_END)
        self._thread.join()
        if kind is None:
            self._raise()

    def _work(self) -> None:
        """Write items until the end; after an error drop them, so that :meth:`put` does not block."""
        while (item := self._queue.get()) is not _END:
            if self._failure is None and not self._dropping:
                try:
                    self._write(item)
                except BaseException as error:
                    self._failure = error

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure
