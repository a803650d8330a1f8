"""mxnet's files of arrays (``.params``): checked before mxnet's own reader is given them.

That reader reserves what a file's numbers ask for, and follows its indices of types and devices without a
look. The format is ``NDArray::Save`` of mxnet 1.9.1 (``src/ndarray/ndarray.cc``), with that of older files.
"""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

from gluon_yolo.mxnet_compat import mx

LIST = 0x112  # the first number of a file
_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA  # of an array; older ones begin with their number of axes
_SIZES = (4, 8, 2, 1, 4, 1, 8, 1, 2, 2, 4, 8, 2)  # bytes of a value, by mxnet's number of its type
_MOST_AXES = 32
_DEVICES = (1, 2, 3, 5)  # CPU, GPU, pinned and shared memory; an array is read onto the CPU


class _Reader:
    """Numbers of a file, whose end is an error."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self.left = file, size

    def numbers(self, form: str, count: int = 1) -> tuple[int, ...]:
        layout = struct.Struct(f"<{count}{form}")
        self._reserve(layout.size)
        return layout.unpack(self._file.read(layout.size))

    def skip(self, count: int) -> None:
        self._reserve(count)
        self._file.seek(count, os.SEEK_CUR)

    def text(self, count: int) -> str:
        self._reserve(count)
        return self._file.read(count).decode()

    def _reserve(self, count: int) -> None:
        if count > self.left:
            raise ValueError(f"it asks for {count:,} bytes where {self.left:,} are left")
        self.left -= count


def load(path: str | os.PathLike[str]) -> Any:
    """Return the arrays of a file, as ``nd.load`` does.

    Raises:
        ValueError: the file is damaged, or of another kind.
        MXNetError: mxnet cannot read it all the same.
        OSError: it cannot be read.
    """
    check(path)
    return mx.nd.load(os.fspath(path))


def check(path: str | os.PathLike[str]) -> None:
    """Check that a file is a whole list of arrays, whose sizes are those of their values.

    Raises:
        ValueError: it is not.
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        reader = _Reader(file, os.fstat(file.fileno()).st_size)
        magic, reserved, count = reader.numbers("Q", 3)
        if magic != LIST or reserved:
            raise ValueError("it does not begin as a list of arrays")
        for _ in range(count):
            _check_array(reader)
        (names,) = reader.numbers("Q")
        if names not in (0, count):
            raise ValueError(f"it has {count} arrays and {names} names")
        found = [reader.text(*reader.numbers("Q")) for _ in range(names)]
        if len(set(found)) < len(found):
            raise ValueError("two of its arrays have one name")
        if reader.left:
            raise ValueError(f"{reader.left:,} bytes follow its end")


def _check_array(reader: _Reader) -> None:
    """Pass over an array."""
    (magic,) = reader.numbers("I")
    if magic in (_V2, _V3):
        (storage,) = reader.numbers("i")
        if storage:
            raise ValueError("it has a sparse array")
    (axes,) = (magic,) if magic < _V1 else reader.numbers("i")
    if not 0 <= axes <= _MOST_AXES:
        raise ValueError(f"it has an array of {axes:,} axes")
    shape = reader.numbers("I" if magic < _V1 else "q", axes) if axes else ()
    if min(shape, default=0) < 0:
        raise ValueError(f"it has an array of shape {shape}")
    if not axes and magic != _V3:
        return  # an array without values ends here
    device, _, kind = reader.numbers("i", 3)
    if device not in _DEVICES or not 0 <= kind < len(_SIZES):
        raise ValueError(f"it has an array of type {kind}, on a device of type {device}")
    reader.skip(math.prod(shape) * _SIZES[kind])
