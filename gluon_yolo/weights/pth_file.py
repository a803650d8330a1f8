"""PyTorch ``.pth`` files, read without PyTorch.

Since PyTorch 1.6 such a file is an uncompressed zip archive: ``data.pkl`` describes the tensors, ``data/N``
has the values of storage ``N``, and ``byteorder`` tells the byte order.
"""

from __future__ import annotations

import math
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.weights import placeholder
from gluon_yolo.weights.pth_pickle import ADVICE, BFLOAT16, ERRORS, Storage, Tensor, read_pickle

_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"  # the pickled magic number of older files
_ZIP = b"PK"


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the named tensors of a ``.pth`` file.

    Args:
        path: a file written by ``torch.save`` (1.6 or later), of a state dict, or of a dict in which one
            value is a state dict, such as ``{"epoch": 3, "state_dict": ...}``.

    Returns:
        The arrays by name, in the file's order, bfloat16 as float32. They are read-only, and share memory
        where the tensors did.

    Raises:
        UserError: the file cannot be read, is damaged or of an older format, has other objects than tensors,
            or several state dicts. No code of the file is run.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            content = _Archive(path, archive)
            found = read_pickle(content.entry("data.pkl"), str(path))
            return {name: content.array(name, tensor) for name, tensor in _named(path, found).items()}
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise _no_archive(path, error) from error


def _no_archive(path: Path, error: Exception) -> UserError:
    """Return the error for a file that is no zip archive."""
    with path.open("rb") as file:
        head = file.read(placeholder.LENGTH)
    placeholder.refuse(path, head)
    if head.startswith(_LEGACY):
        return UserError(f"{path}: written in the way of PyTorch before 1.6; {ADVICE} in a newer one")
    if head.startswith(_ZIP):
        return UserError(f"{path}: cut short or damaged ({error}); get it anew")
    return UserError(f"{path}: not a file of PyTorch's; give one that torch.save wrote")


def _named(path: Path, found: Any) -> dict[str, Tensor]:
    """Return the tensors of a state dict, or of the one state dict in a dict."""
    tensors = _tensors(found)
    if not tensors and isinstance(found, dict):
        inner = {key: _tensors(value) for key, value in found.items() if isinstance(key, str)}
        inner = {key: tensors for key, tensors in inner.items() if tensors}
        if len(inner) > 1:
            names = ", ".join(inner)
            raise UserError(f"{path}: holds several sets of weights ({names}); save one of them by itself")
        tensors = next(iter(inner.values()), {})
    if not tensors:
        raise UserError(f"{path}: holds no named tensors; {ADVICE}")
    return tensors


def _tensors(found: Any) -> dict[str, Tensor]:
    """Return the named tensors of a mapping."""
    items = found.items() if isinstance(found, dict) else ()
    return {key: value for key, value in items if isinstance(key, str) and isinstance(value, Tensor)}


class _Archive:
    """The open zip archive.

    Args:
        path: of the file.
        archive: its content.

    Raises:
        UserError: PyTorch did not write it, or it is compressed.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self.archive = archive
        entries = archive.infolist()
        ends = [entry.filename for entry in entries if entry.filename.endswith("/data.pkl")]
        if len(ends) != 1:
            raise UserError(f"{path}: not a file of PyTorch's, whose zip archives have one data.pkl")
        self.root = ends[0][: -len("data.pkl")]
        packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
        if packed or sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise UserError(f"{path}: its archive is compressed, which PyTorch's are not; {ADVICE}")
        self.byte_order = self._byte_order()
        self._storages: dict[Storage, np.ndarray] = {}

    def entry(self, name: str) -> bytes:
        """Return the content of a file in the archive.

        Raises:
            UserError: it is absent or damaged.
        """
        try:
            return self.archive.read(self.root + name)
        except KeyError:
            raise UserError(f"{self.path}: {name} is absent from it; get the file anew") from None
        except (EOFError, RuntimeError, zipfile.BadZipFile) as error:
            raise UserError(f"{self.path}: {name} in it is damaged ({error}); get the file anew") from error

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
        if storage not in self._storages:
            halves = storage.kind == BFLOAT16
            dtype = np.dtype(self.byte_order + ("u2" if halves else storage.kind))
            content = self.entry(f"data/{storage.key}")
            if len(content) != storage.length * dtype.itemsize:
                raise UserError(
                    f"{self.path}: data/{storage.key} has {len(content)} bytes, and should have "
                    f"{storage.length} numbers of {dtype.itemsize}; the file is damaged, get it anew"
                )
            numbers = np.frombuffer(content, dtype).astype(dtype.newbyteorder("="), copy=False)
            if halves:
                numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
            numbers.flags.writeable = False
            self._storages[storage] = numbers
        return self._storages[storage]

    def _byte_order(self) -> str:
        """Return NumPy's sign for the byte order; files from before PyTorch 2.1 do not tell it."""
        said = b"little"  # as on nearly every machine
        if f"{self.root}byteorder" in self.archive.namelist():
            said = self.entry("byteorder")
        signs = {b"little": "<", b"big": ">"}
        if said not in signs:
            raise UserError(f"{self.path}: its byteorder is {said[:20]!r}; expected little or big")
        return signs[said]
