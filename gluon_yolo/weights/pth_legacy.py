"""PyTorch files of the kind before 1.6: five pickles or more in a row, then the values of the storages.

The pickles are a magic number, the version of the format, the byte order of the machine, the objects, and the
keys of the storages. After them each storage, in the order of the keys, has its number of values as a
little-endian int64 and its values, little-endian on every machine.
"""

from __future__ import annotations

import io
import pickletools
from pathlib import Path
from typing import Any

from gluon_yolo.errors import UserError
from gluon_yolo.weights.pth_pickle import ERRORS, Storage, read_pickle
from gluon_yolo.weights.pth_storages import Storages, dtype_of

MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the pickled number 0x1950A86A20F9469CFC6C
_VERSION = 1001
_COUNT = 8  # bytes of a storage's number of values


class LegacyFile(Storages):
    """The contents of such a file.

    Args:
        path: of the file.
        content: its bytes.

    Attributes:
        objects: what was saved, with :class:`gluon_yolo.weights.pth_pickle.Tensor` for tensors.

    Raises:
        UserError: it is of another version, cut short or damaged, or has other objects than tensors.
    """

    def __init__(self, path: Path, content: bytes) -> None:
        super().__init__(path)
        self._content, self._place = content, 0
        self._next([])
        version = self._next([])
        if version != _VERSION:
            raise UserError(f"{path}: of version {version!r} of PyTorch's older format; expected {_VERSION}")
        self._next([])
        storages: list[Storage] = []
        self.objects = self._next(storages)
        keys = self._next([])
        kinds = {storage.key: storage.kind for storage in storages}
        if not isinstance(keys, list) or set(keys) != set(kinds) or len(set(keys)) != len(keys):
            raise UserError(f"{path}: its list of storages is not that of its tensors; get it anew")
        self._parts = {key: self._part(key, kinds[key]) for key in keys}
        if self._place != len(content):
            rest = len(content) - self._place
            raise UserError(f"{path}: goes on for {rest} bytes behind its last tensor; get it anew")

    def content(self, storage: Storage) -> bytes:
        """Return the bytes of a storage."""
        return self._parts[storage.key]

    def _next(self, storages: list[Storage]) -> Any:
        """Return the objects of the next pickle, and add its storages to a list."""
        stream = io.BytesIO(self._content)
        stream.seek(self._place)
        try:
            for _ in pickletools.genops(stream):
                pass
        except ERRORS as error:
            raise UserError(f"{self.path}: cut short or damaged ({error}); get it anew") from error
        start, self._place = self._place, stream.tell()
        return read_pickle(self._content[start : self._place], str(self.path), storages)

    def _part(self, key: str, kind: str) -> bytes:
        """Return the bytes of the next storage in the file."""
        start = self._place + _COUNT
        count = int.from_bytes(self._content[self._place : start], "little", signed=True)
        self._place = start + count * dtype_of(kind).itemsize
        if count < 0 or self._place > len(self._content):
            raise UserError(
                f"{self.path}: cut short or damaged: it ends within the {count} numbers of storage {key}; "
                "get it anew"
            )
        return self._content[start : self._place]
