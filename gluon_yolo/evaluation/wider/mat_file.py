"""MATLAB's files of version 5: their cells, texts and numbers, which are all that WIDER FACE's have.

SciPy's reader ends the process where some are damaged (``docs/dependencies.md``). Here nothing is read beyond
its element, and an element's type, dimensions and bytes have to agree.

The format is MathWorks' "MAT-File Format", chapter 1.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

_HEADER = 128  # bytes: a text and, last, the version and "MI" as numbers of two bytes
_BEGIN = struct.pack("<HH", 0x0100, 0x4D49)
_MATRIX, _COMPRESSED = 14, 15  # elements that hold others
# Other elements by their number: NumPy's name of a number, or the encoding of a text.
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16-le", 16: "utf-8", 17: "utf-16-le", 18: "utf-32-le"}
_CELL, _TEXT, _ARRAYS = 1, 4, range(6, 16)  # what a matrix is of: the last are the kinds of numbers
_COMPLEX = 0x0800
_MOST_DIMENSIONS, _DEEPEST = 8, 8
_MOST_BYTES = 1 << 28  # of a variable, once it is inflated; the official files' have 4 MB


def read_variables(path: Path) -> dict[str, np.ndarray]:
    """Return a file's variables by their names.

    A matrix of cells is an array of objects, a text an array with one string, and numbers have the type in
    which they are stored, all as of SciPy's ``loadmat``.

    Raises:
        ValueError: the file is damaged, or is none of MATLAB's version 5; or it holds something else.
    """
    content = path.read_bytes()
    if content[_HEADER - len(_BEGIN) : _HEADER] != _BEGIN:
        raise ValueError("it does not begin as one of version 5, of little-endian numbers")
    found = {}
    for kind, data in _elements(memoryview(content)[_HEADER:]):
        if kind == _COMPRESSED:
            ((kind, data),) = _elements(_inflated(data))
        name, value = _matrix(kind, data, 0)
        found[name] = value
    return found


def _inflated(data: memoryview) -> memoryview:
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(data, _MOST_BYTES)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not inflater.eof:
        raise ValueError("a compressed variable is cut short, or is too large")
    return memoryview(content)


def _elements(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield elements, each the number of its type and its bytes."""
    place = 0
    while place < len(data):
        if len(data) - place < 8:
            raise ValueError("an element is cut short")
        kind, size = struct.unpack_from("<II", data, place)
        begin = place + 8
        if kind >> 16:  # a small one: type, size and up to four bytes of data in eight
            kind, size, begin = kind & 0xFFFF, kind >> 16, place + 4
            place += 8
            if size > 4:
                raise ValueError(f"a small element of {size} bytes")
        else:
            padding = 0 if kind == _COMPRESSED else -size % 8
            place = begin + size + padding
        if begin + size > len(data):
            raise ValueError("an element is cut short")
        yield kind, data[begin : begin + size]


def _matrix(kind: int, data: memoryview, depth: int) -> tuple[str, np.ndarray]:
    """Return the name and the values of a matrix."""
    if kind != _MATRIX or depth > _DEEPEST:
        raise ValueError(f"an element of type {kind}, {depth} deep, where a matrix belongs")
    if not data:  # an empty one has nothing at all
        return "", np.empty((0, 0))
    flags, sizes, name, *parts = _elements(data)
    first = int(_values(flags)[0])
    what, is_complex = first & 0xFF, first & _COMPLEX
    dims = [int(size) for size in _values(sizes)]
    if not 2 <= len(dims) <= _MOST_DIMENSIONS or min(dims) < 0:
        raise ValueError(f"a matrix of the dimensions {dims}")
    count = math.prod(dims)
    if what == _CELL:
        if len(parts) != count:
            raise ValueError(f"{len(parts)} cells where {count} belong")
        values = np.empty(count, dtype=object)
        for place, part in enumerate(parts):
            values[place] = _matrix(*part, depth + 1)[1]
    elif what == _TEXT and dims[0] <= 1:
        text = "".join(_text(part) for part in parts)
        return bytes(name[1]).decode("latin-1"), np.array([text] if text else [], dtype=str)
    elif what in _ARRAYS and not is_complex:
        (part,) = parts
        values = _values(part)
        if len(values) != count:
            raise ValueError(f"{len(values)} numbers where {count} belong")
    else:
        raise ValueError(f"a matrix of class {what}, which no file of WIDER FACE has")
    return bytes(name[1]).decode("latin-1"), values.reshape(dims, order="F")


def _values(element: tuple[int, memoryview]) -> np.ndarray:
    """Return an element's numbers."""
    kind, data = element
    if kind not in _NUMBERS:
        raise ValueError(f"an element of type {kind} where numbers belong")
    return np.frombuffer(data, dtype=f"<{_NUMBERS[kind]}")


def _text(element: tuple[int, memoryview]) -> str:
    kind, data = element
    if kind not in _TEXTS:
        raise ValueError(f"an element of type {kind} where a text belongs")
    return bytes(data).decode(_TEXTS[kind])
