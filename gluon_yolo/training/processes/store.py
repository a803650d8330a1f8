"""Store: values that the processes of a training share by name, at the place where they meet."""

from __future__ import annotations

import datetime
import pickle
import time
from typing import Any, Callable

from gluon_yolo.text import first_line
from gluon_yolo.torch_compat import distributed
from gluon_yolo.training.processes.ending import Lost

_PIECE = 4 << 20  # bytes of a value: torch's store takes 8 MiB at most
_LOOKS_S = (0.01, 0.5)  # seconds between looks for a value: the first, and the longest


class Store:
    """A client of the store. It has a connection of its own, and may be used by one thread.

    Args:
        host: where the store is.
        port: its port.
        prefix: of the names.
        timeout_s: seconds that the store may take for an answer.

    Attributes:
        is_over: returns whether the training has ended in another process, so that a value will not come.

    Raises:
        Lost: the store does not answer, here and in each call.
    """

    def __init__(self, host: str, port: int, prefix: str, timeout_s: float) -> None:
        self.place = f"{host}:{port}"
        self.is_over: Callable[[], bool] = bool
        timeout = datetime.timedelta(seconds=timeout_s)
        try:
            client = distributed.TCPStore(host, port, is_master=False, timeout=timeout)
        except RuntimeError as error:
            raise self._lost(error) from error
        self.shared: Any = distributed.PrefixStore(prefix, client)

    def set(self, name: str, value: bytes) -> None:
        """Set a value."""
        self._call("set", name, value)

    def get(self, name: str) -> bytes | None:
        """Return a value; None if it is not there yet."""
        return self._call("get", name) if self._call("check", [name]) else None

    def first(self, name: str, value: bytes) -> bytes:
        """Set a value unless another process was first, and return the one that is there."""
        self._call("compare_set", name, "", value)
        return self._call("get", name)

    def wait(self, name: str) -> bytes:
        """Return a value as soon as it is there.

        There is no limit of time: :attr:`is_over` says when it is not to be expected any more.
        """
        pause, longest = _LOOKS_S
        while (value := self.get(name)) is None:
            if self.is_over():
                raise Lost("the training ended in another process")
            time.sleep(pause)
            pause = min(1.5 * pause, longest)
        return value

    def send(self, name: str, value: Any) -> None:
        """Set a value of any kind and size, in pieces, for one :meth:`receive`."""
        content = pickle.dumps(value)
        pieces = [content[start : start + _PIECE] for start in range(0, len(content), _PIECE)]
        for number, piece in enumerate(pieces):
            self.set(f"{name}/{number}", piece)
        self.set(name, str(len(pieces)).encode())

    def receive(self, name: str, keep: bool = False) -> Any:
        """Return what another process sends, and delete it unless others are to read it too."""
        names = [f"{name}/{number}" for number in range(int(self.wait(name)))]
        content = b"".join(self.wait(each) for each in names)
        if not keep:
            for each in (name, *names):
                self.delete(each)
        return pickle.loads(content)

    def delete(self, name: str) -> None:
        """Delete a value, if it is there."""
        self._call("delete_key", name)

    def _call(self, method: str, *args: Any) -> Any:
        try:
            return getattr(self.shared, method)(*args)
        except RuntimeError as error:
            raise self._lost(error) from error

    def _lost(self, error: RuntimeError) -> Lost:
        return Lost(f"the host {self.place}, where the processes meet, does not answer ({first_line(error)})")
