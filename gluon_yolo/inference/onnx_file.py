"""ONNX files: a check that all weights are in the file itself, made without a runtime's package.

ONNX can leave a tensor's values in another file, at any path (``external_data``). Newer runtimes follow paths
within the model's folder only, older ones any. Files of this package have all values in themselves.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from gluon_yolo.errors import UserError

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_TENSOR = "tensor"
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # fields of a TensorProto
# Fields, by their numbers in onnx.proto, whose messages may hold tensors.
_INNER = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: _TENSOR, 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: _TENSOR, 6: "graph", 10: _TENSOR, 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: _TENSOR, 2: _TENSOR},
    _TENSOR: {},
}
_DEEPEST = 100  # messages within messages, as protobuf has it


def check_whole(path: Path) -> None:
    """Raise a UserError where a file leaves values in another file, or is no ONNX file."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            external = _is_external(content, 0, len(content), "model", _DEEPEST)
    except ValueError as error:  # of an empty file too
        raise UserError(f"{path}: is damaged or no ONNX file; export the model again") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    if external:
        raise UserError(
            f"{path}: keeps weights in another file, which could be any file of this machine; files of this "
            "package have them in themselves: export the model again with --format onnx"
        )


def _is_external(content: mmap.mmap, start: int, end: int, kind: str, depth: int) -> bool:
    """Return whether a message, or one within it, is a tensor with its values elsewhere."""
    if not depth:
        raise ValueError("too deep")
    for field, wire, place, size in _fields(content, start, end):
        if kind == _TENSOR and field in (_EXTERNAL_DATA, _DATA_LOCATION):
            if wire == _BYTES or size:  # size is a number's value: 0 is "in this file"
                return True
        inner = _INNER[kind].get(field)
        if inner and wire == _BYTES and _is_external(content, place, place + size, inner, depth - 1):
            return True
    return False


def _fields(content: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the number, wire type, place and size of a message's fields; of a varint its value as the size.

    Raises:
        ValueError: this is no message, or has a kind of field that ONNX does not use.
    """
    while start < end:
        key, start = _varint(content, start, end)
        field, wire = key >> 3, key & 7
        size = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}.get(wire, 0)
        if wire in (_VARINT, _BYTES):
            size, start = _varint(content, start, end)
        elif not size:
            raise ValueError(f"wire type {wire}")
        if key >= 1 << 32 or not field or (wire != _VARINT and start + size > end):
            raise ValueError("beyond the end")
        yield field, wire, start, size
        start += 0 if wire == _VARINT else size


def _varint(content: mmap.mmap, start: int, end: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, the lowest first, and the place behind it."""
    number = 0
    for shift in range(0, 70, 7):
        if start >= end:
            break
        byte = content[start]
        start += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, start
    raise ValueError("a number without end")
