"""PyTorch ``.pth`` files, read without PyTorch.

Since PyTorch 1.6 such a file is an uncompressed zip archive: ``data.pkl`` describes the tensors, ``data/N``
has the values of storage ``N``, and ``byteorder`` tells the byte order. Older files are pickles in a row
(:mod:`gluon_yolo.weights.pth_legacy`).
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.weights import placeholder
from gluon_yolo.weights.pth_legacy import MAGIC, LegacyFile
from gluon_yolo.weights.pth_pickle import ADVICE, Storage, Tensor, read_pickle
from gluon_yolo.weights.pth_storages import Storages

_ZIP = b"PK"


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the named tensors of a ``.pth`` file.

    Args:
        path: a file written by ``torch.save``, of a state dict, or of a dict in which one
            value is a state dict, such as ``{"epoch": 3, "state_dict": ...}``.

    Returns:
        The arrays by name, in the file's order, bfloat16 as float32. They are read-only, and share memory
        where the tensors did.

    Raises:
        UserError: the file cannot be read, is damaged, has other objects than tensors, or several state
            dicts. No code of the file is run.
    """
    path = Path(path)
    try:
        older = _older(path)
        if older is not None:
            return {name: older.array(name, tensor) for name, tensor in _named(path, older.objects).items()}
        with zipfile.ZipFile(path) as archive:
            content = _Archive(path, archive)
            found = read_pickle(content.entry("data.pkl"), str(path))
            return {name: content.array(name, tensor) for name, tensor in _named(path, found).items()}
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise _no_archive(path, error) from error


def _older(path: Path) -> LegacyFile | None:
    """Return a file of the kind before PyTorch 1.6; None for any other file."""
    with path.open("rb") as file:
        start = file.read(len(MAGIC))
        return LegacyFile(path, start + file.read()) if start == MAGIC else None


def _no_archive(path: Path, error: Exception) -> UserError:
    """Return the error for a file that is no zip archive."""
    with path.open("rb") as file:
        head = file.read(placeholder.LENGTH)
    placeholder.refuse(path, head)
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


class _Archive(Storages):
    """The open zip archive.

    Args:
        path: of the file.
        archive: its content.

    Raises:
        UserError: PyTorch did not write it, or it is compressed.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        super().__init__(path)
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

    def content(self, storage: Storage) -> bytes:
        """Return the bytes of a storage."""
        return self.entry(f"data/{storage.key}")

    def _byte_order(self) -> str:
        """Return NumPy's sign for the byte order; files from before PyTorch 2.1 do not tell it."""
        said = b"little"  # as on nearly every machine
        if f"{self.root}byteorder" in self.archive.namelist():
            said = self.entry("byteorder")
        signs = {b"little": "<", b"big": ">"}
        if said not in signs:
            raise UserError(f"{self.path}: its byteorder is {said[:20]!r}; expected little or big")
        return signs[said]
