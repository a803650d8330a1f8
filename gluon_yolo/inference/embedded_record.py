"""The model record inside an exported file, read without the runtime's package.

ONNX files have key-value metadata (``metadata_props``), OpenVINO's ``.xml`` has ``rt_info``. The value is the
text of ``NAME.json`` with this one format. Files of the other formats have no place for it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

from gluon_yolo import json_text
from gluon_yolo.errors import UserError
from gluon_yolo.inference.model_record import ModelRecord

KEY = "gluon_yolo"
# Field numbers of protocol buffers, in ONNX's ModelProto and in its metadata pairs.
_METADATA, _NAME, _TEXT = 14, 1, 2
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def text_of(record: ModelRecord) -> str:
    """Return the text of a record, to be stored in a file under :data:`KEY`."""
    return json.dumps(record.to_dict(), ensure_ascii=False)


def read(path: Path) -> ModelRecord | None:
    """Return the record in an ONNX file or in OpenVINO's ``.xml``; None where there is none.

    Raises:
        UserError: the file cannot be read, or its record is damaged or from a newer package.
    """
    try:
        text = _of_onnx(path) if path.suffix.lower() == ".onnx" else _of_openvino(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    if text is None:
        return None
    try:
        record = json_text.loads(text)
    except ValueError as error:
        raise UserError(f"{path}: the record in it is damaged ({error}); export the model again") from error
    return ModelRecord.of(record, path)


def check(path: Path, record: ModelRecord) -> None:
    """Raise a UserError where a file and the record beside it are of different models."""
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
    """Return the text in ``rt_info`` of an ``.xml``, also of one converted from this package's ONNX file."""
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
    """Return the text in an ONNX file's metadata; the graph is skipped, not read."""
    with path.open("rb") as file:
        for field, content in _fields(file, path.stat().st_size, {_METADATA}):
            pair = dict(_parts(content)) if field == _METADATA else {}
            if pair.get(_NAME) == KEY.encode():
                return pair.get(_TEXT, b"").decode("utf-8", "replace")
    return None


def _fields(file: BinaryIO, end: int, wanted: set[int]) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of the wanted fields of a message, up to the first invalid one."""
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
    """Yield number and bytes of the fields of a metadata pair."""
    yield from _fields(io.BytesIO(message), len(message), {_NAME, _TEXT})


def _varint(file: BinaryIO) -> int | None:
    """Return a number of seven bits per byte, the lowest first; None at the end of the file or if invalid."""
    number = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            return None
        number |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return number
    return None
