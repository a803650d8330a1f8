"""Files as ``torch.save`` writes them, made without PyTorch."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import pickle
import sys
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

KINDS = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Storage:
    """A sequence of values.

    Args:
        numbers: the values.
        kind: PyTorch's name of their type; empty derives it.
        length: in the pickle; None is the true one.
    """

    numbers: np.ndarray
    kind: str = ""
    length: int | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Tensor:
    storage: Storage
    offset: Any
    shape: Any
    strides: Any
    parameter: bool = False


def tensor(array: np.ndarray, **options) -> Tensor:
    """Return a tensor with its own storage."""
    strides = tuple(step // array.itemsize for step in np.ascontiguousarray(array).strides)
    return Tensor(Storage(array.ravel()), 0, array.shape, strides[: array.ndim], **options)


class _Pickler(pickle.Pickler):
    """Pickle tensors as PyTorch does, with separate storages."""

    def __init__(self, file: io.BytesIO, protocol: int, names: dict[str, Any], legacy: bool = False):
        super().__init__(file, protocol)
        self.view = (None,) if legacy else ()
        self.names = names
        self.storages: list[Storage] = []

    def persistent_id(self, found: object) -> tuple | None:
        if not isinstance(found, Storage):
            return None
        if found not in self.storages:
            self.storages.append(found)
        length = len(found.numbers) if found.length is None else found.length
        kind = self.names[found.kind or KINDS[found.numbers.dtype.name]]
        return "storage", kind, str(self.storages.index(found)), "cpu", length, *self.view

    def reducer_override(self, found: object) -> Any:
        if not isinstance(found, Tensor):
            return NotImplemented
        if found.parameter:
            plain = dataclasses.replace(found, parameter=False)
            return self.names["_rebuild_parameter"], (plain, True, {})
        rebuild = self.names["_rebuild_tensor_v2"]
        return rebuild, (found.storage, found.offset, found.shape, found.strides, False, {})


@contextlib.contextmanager
def _torch_names() -> Iterator[dict[str, Any]]:
    """Provide modules with PyTorch's names while pickle writes."""
    modules = {name: types.ModuleType(name) for name in ("torch", "torch._utils")}
    names: dict[str, Any] = {}
    for name in (*KINDS.values(), "BFloat16Storage"):
        names[name] = type(name, (), {"__module__": "torch"})
        setattr(modules["torch"], name, names[name])
    for name in ("_rebuild_tensor_v2", "_rebuild_parameter"):
        names[name] = types.FunctionType((lambda: None).__code__, {"__name__": "torch._utils"}, name)
        names[name].__qualname__ = name
        setattr(modules["torch._utils"], name, names[name])
    before = {name: sys.modules.pop(name) for name in modules if name in sys.modules}
    sys.modules.update(modules)
    try:
        yield names
    finally:
        for name in modules:
            del sys.modules[name]
        sys.modules.update(before)


def parts(found: object, protocol: int = 2, order: str | None = "little") -> dict[str, bytes]:
    """Return the files in the archive.

    Args:
        found: dicts with tensors in them.
        protocol: of the pickle; PyTorch's is 2.
        order: of the bytes; None writes little-endian without saying so.
    """
    file = io.BytesIO()
    with _torch_names() as names:
        pickler = _Pickler(file, protocol, names)
        pickler.dump(found)
    sign = ">" if order == "big" else "<"
    files = {"data.pkl": file.getvalue(), "version": b"3\n"}
    if order is not None:
        files["byteorder"] = order.encode()
    for index, storage in enumerate(pickler.storages):
        numbers = storage.numbers
        files[f"data/{index}"] = numbers.astype(numbers.dtype.newbyteorder(sign)).tobytes()
    return files


def write(path: Path, files: dict[str, bytes], root: str = "archive", packed: bool = False) -> Path:
    """Write files into an archive like PyTorch's."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(f"{root}/{name}", content)
    return path


def save(path: Path, found: object, **options) -> Path:
    """Write the file that ``torch.save(found, path)`` writes."""
    return write(path, parts(found, **options))


def legacy(found: object, version: int = 1001) -> bytes:
    """Return the file that PyTorch before 1.6 wrote, which today's still writes on demand."""
    file = io.BytesIO()
    for record in (0x1950A86A20F9469CFC6C, version, {"protocol_version": version, "little_endian": True}):
        pickle.dump(record, file, 2)
    with _torch_names() as names:
        pickler = _Pickler(file, 2, names, legacy=True)
        pickler.dump(found)
    keys = [str(index) for index in range(len(pickler.storages))]
    pickle.dump(keys[::-1], file, 2)
    for storage in pickler.storages[::-1]:
        numbers = storage.numbers
        file.write(len(numbers).to_bytes(8, "little"))
        file.write(numbers.astype(numbers.dtype.newbyteorder("<")).tobytes())
    return file.getvalue()
