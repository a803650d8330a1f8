"""Caffe's blobs: float32 arrays in messages."""

from __future__ import annotations

from typing import Any

import numpy as np

from gluon_yolo.caffe.messages import message_class

_OLD_AXES = ("num", "channels", "height", "width")
_DATA = 5  # the field of a blob's numbers
_PACKED = 2  # the wire type of a packed field: its bytes stand behind their count


def array_of(blob: Any) -> np.ndarray:
    """Return a BlobProto's numbers as a float32 array of its shape, also one of Caffe's older four axes.

    Raises:
        ValueError: the shape asks for another count of numbers.
    """
    values = np.array(blob.data if blob.data else blob.double_data, np.float32)
    if blob.HasField("shape"):
        shape = tuple(blob.shape.dim)
    elif any(blob.HasField(axis) for axis in _OLD_AXES):
        shape = tuple(getattr(blob, axis) for axis in _OLD_AXES)
    else:
        shape = values.shape
    if min(shape, default=0) < 0 or int(np.prod(shape, dtype=object)) != values.size:
        raise ValueError(f"a blob of shape {list(shape)} has {values.size} numbers")
    return values.reshape(shape)


def blob_of(values: np.ndarray) -> Any:
    """Return a BlobProto with an array's shape and numbers, as float32."""
    blob = message_class("BlobProto")()
    blob.shape.dim.extend(values.shape)
    numbers = np.ascontiguousarray(values, "<f4").tobytes()
    # As bytes of the file: a list of Python's floats takes eight times their memory.
    blob.MergeFromString(bytes([_DATA << 3 | _PACKED]) + _varint(len(numbers)) + numbers)
    return blob


def _varint(number: int) -> bytes:
    """Return a count as protobuf writes it: seven bits a byte, the lowest first."""
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
