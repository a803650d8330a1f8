"""Embedded: the record that a file holds itself, beside its graph, read without any runtime's package.

ONNX's files have names and texts for such things (``metadata_props``), OpenVINO's ``.xml`` has ``rt_info``.
The text is that of ``NAME.json`` with one format alone. The other formats' files have no place for it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

from gluon_yolo.errors import UserError
from gluon_yolo.inference.model_record import ModelRecord

KEY = "gluon_yolo"
# Numbers of protocol buffers' fields: of ONNX's ModelProto, and of the pairs in it.
_METADATA, _NAME, _TEXT = 14, 1, 2
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def text_of(record: ModelRecord) -> str:
    """Return the text that a file is to hold under :data:`KEY`."""
    return json.dumps(record.to_dict(), ensure_ascii=False)


def read(path: Path) -> ModelRecord | None:
    """Return the record that an ONNX file, or OpenVINO's ``.xml``, holds; None where it holds none.

    Raises:
        UserError: the file cannot be read, or its record is damaged or comes from a newer package.
    """
    try:
        text = _of_onnx(path) if path.suffix.lower() == ".onnx" else _of_openvino(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    if text is None:
        return None
    try:
        record = json.loads(text)
    except ValueError as error:
        raise UserError(f"{path}: the record in it is damaged ({error}); export the model again") from error
    return ModelRecord.of(record, path)


def check(path: Path, record: ModelRecord) -> None:
    """Raise a UserError where a file holds another model than the record beside it is of."""
    own = read(path)
    if own is None:
        return
    for what, ours, theirs in (
        ("weights", own.weights, record.weights),
        ("precision", own.precision, record.precision),
    ):
        if ours is not None and theirs is not None and ours != theirs:
            raise UserError(
                f"{path}: holds a model of other {what} than {record.name}.json beside it says: files of two "
                "exports are mixed; take both from one, or export the model again"
            )


def _of_openvino(path: Path) -> str | None:
    """Return the text in an ``.xml``'s ``rt_info``, of a file that we wrote or that was made of our ONNX."""
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError:
        return None
    for place in (f"rt_info/{KEY}", f"rt_info/framework/{KEY}"):
        found = root.find(place)
        if found is not None:
            return found.get("value")
    return None


def _of_onnx(path: Path) -> str | None:
    """Return the text in an ONNX file's metadata, past its graph, which is not read."""
    with path.open("rb") as file:
        for field, content in _fields(file, path.stat().st_size, {_METADATA}):
            pair = dict(_parts(content)) if field == _METADATA else {}
            if pair.get(_NAME) == KEY.encode():
                return pair.get(_TEXT, b"").decode("utf-8", "replace")
    return None


def _fields(file: BinaryIO, end: int, wanted: set[int]) -> Iterator[tuple[int, bytes]]:
    """Yield the number and bytes of the wanted fields of a message; stop where it makes no sense."""
    while file.tell() < end:
        key = _varint(file)
        if key is None:
            return
        field, kind = key >> 3, key & 7
        if kind == _VARINT:
            size = 0
            if _varint(file) is None:
                return
        elif kind == _BYTES:
            length = _varint(file)
            if length is None:
                return
            size = length
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if kind == _EIGHT_BYTES else 4
        else:
            return
        if file.tell() + size > end:
            return
        if kind == _BYTES and field in wanted:
            yield field, file.read(size)
        else:
            file.seek(size, 1)


def _parts(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and bytes of a pair's fields."""
    yield from _fields(io.BytesIO(message), len(message), {_NAME, _TEXT})


def _varint(file: BinaryIO) -> int | None:
    """Return a number of seven bits a byte, the lowest first; None at the end of the file or of sense."""
    number = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            return None
        number |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return number
    return None
