"""Hugging Face's ``.safetensors`` files, read without its library.

Such a file is the length of its header (uint64, little-endian), the header as JSON, and the values. For each
tensor the header has the type, the shape, and the place of its values behind the header, in bytes.
Source: https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo import json_text
from gluon_yolo.errors import UserError
from gluon_yolo.weights import bfloat16, placeholder

_LENGTH = 8  # bytes of the header's length
_LONGEST = 100_000_000  # bytes of a header; the library accepts no longer one
_BFLOAT16 = "BF16"
_KINDS = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", _BFLOAT16: "<u2", "BOOL": "?"},
    **{"I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1"},
    **{"U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1"},
}


def is_safetensors(start: bytes) -> bool:
    """Return whether a file that begins so can be of this kind.

    Args:
        start: 9 bytes or more.
    """
    return start[_LENGTH : _LENGTH + 1] == b"{" and int.from_bytes(start[:_LENGTH], "little") <= _LONGEST


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the named tensors of a file.

    Args:
        path: of the file.

    Returns:
        The read-only arrays by name, in the file's order, bfloat16 as float32.

    Raises:
        UserError: the file cannot be read, is damaged, or has a type of numbers that NumPy has not.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    placeholder.refuse(path, content[: placeholder.LENGTH])
    if not is_safetensors(content):
        raise UserError(f"{path}: not a file of safetensors; give one that its save_file wrote")
    end = _LENGTH + int.from_bytes(content[:_LENGTH], "little")
    header = _header(path, content[_LENGTH:end], end - _LENGTH)
    values = memoryview(content)[end:]
    arrays = {name: _array(path, name, entry, values) for name, entry in header.items()}
    size = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if size != len(values):
        raise UserError(
            f"{path}: has {len(values)} bytes of numbers, and its header {size}; the file is damaged, get it "
            "anew"
        )
    if not arrays:
        raise UserError(f"{path}: holds no tensors; give a file of weights")
    return arrays


def _header(path: Path, text: bytes, length: int) -> dict[str, Any]:
    """Return the entries of the tensors by name."""
    if len(text) < length:
        raise UserError(f"{path}: cut short: it ends within its header of {length} bytes; get it anew")
    try:
        header = json_text.loads(text)
    except ValueError as error:
        raise UserError(f"{path}: its header is damaged ({error}); get it anew") from error
    if not isinstance(header, dict):
        raise UserError(f"{path}: its header is no JSON object; get it anew")
    header.pop("__metadata__", None)
    return header


def _array(path: Path, name: str, entry: Any, values: memoryview) -> np.ndarray:
    """Return one tensor as a view of the values."""
    try:
        kind, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        numbers = [*shape, start, end]
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError("a size or a place that is no whole number")
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: what its header says of {name} is damaged ({error}); get it anew"
        ) from error
    if kind not in _KINDS:
        raise UserError(f"{path}: {name} has numbers of the type {kind}; save it as F32")
    dtype = np.dtype(_KINDS[kind])
    if end - start != math.prod(shape) * dtype.itemsize:
        raise UserError(
            f"{path}: {name} of shape {tuple(shape)} and type {kind} does not fit its {end - start} bytes; "
            "the file is damaged, get it anew"
        )
    if end > len(values):
        raise UserError(f"{path}: cut short: it ends within {name}; get it anew")
    array = np.frombuffer(values[start:end], dtype).reshape(shape)
    array = array.astype(dtype.newbyteorder("="), copy=False)
    if kind == _BFLOAT16:
        array = bfloat16.widen(array)
    array.flags.writeable = False
    return array
