"""The storages of a PyTorch file, and the arrays that its tensors are views of them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.weights import bfloat16
from gluon_yolo.weights.pth_pickle import BFLOAT16, ERRORS, Storage, Tensor


class Storages:
    """The values of all tensors of a file.

    Args:
        path: of the file, for messages.
    """

    byte_order = "<"  # NumPy's sign

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: dict[Storage, np.ndarray] = {}

    def content(self, storage: Storage) -> bytes:
        """Return the bytes of a storage.

        Raises:
            UserError: they are absent or damaged.
        """
        raise NotImplementedError

    def array(self, name: str, tensor: Tensor) -> np.ndarray:
        """Return a tensor as a view of its storage.

        Raises:
            UserError: the storage is absent, of another length, or smaller than the tensor.
        """
        storage, offset, shape, strides = tensor
        numbers = self._numbers(storage)
        size = math.prod(shape)
        last = offset + sum((length - 1) * step for length, step in zip(shape, strides))
        if size and (last >= len(numbers) or size > len(numbers)):
            raise UserError(
                f"{self.path}: {name} of shape {shape} does not fit the {len(numbers)} numbers of "
                f"data/{storage.key}; the file is damaged, get it anew"
            )
        try:
            if not size:
                return np.empty(shape, numbers.dtype)
            steps = [step * numbers.itemsize if length > 1 else 0 for length, step in zip(shape, strides)]
            return np.ndarray(shape, numbers.dtype, numbers.data, offset * numbers.itemsize, steps)
        except ERRORS as error:
            raise UserError(f"{self.path}: {name} cannot have the shape {shape} ({error})") from error

    def _numbers(self, storage: Storage) -> np.ndarray:
        """Return the values of a storage (length,)."""
        if storage not in self._read:
            content, dtype = self.content(storage), dtype_of(storage.kind, self.byte_order)
            if len(content) != storage.length * dtype.itemsize:
                raise UserError(
                    f"{self.path}: data/{storage.key} has {len(content)} bytes, and should have "
                    f"{storage.length} numbers of {dtype.itemsize}; the file is damaged, get it anew"
                )
            numbers = np.frombuffer(content, dtype).astype(dtype.newbyteorder("="), copy=False)
            if storage.kind == BFLOAT16:
                numbers = bfloat16.widen(numbers)
            numbers.flags.writeable = False
            self._read[storage] = numbers
        return self._read[storage]


def dtype_of(kind: str, byte_order: str = "<") -> np.dtype:
    """Return NumPy's type of the values in a file; bfloat16 is the upper half of a float32, as uint16."""
    return np.dtype(byte_order + ("u2" if kind == BFLOAT16 else kind))
