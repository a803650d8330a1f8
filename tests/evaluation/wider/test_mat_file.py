"""MATLAB's files, read as SciPy reads them; damaged ones, which SciPy does not survive, give an error."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.evaluation.wider.ground_truth import FILES
from gluon_yolo.evaluation.wider.mat_file import read_variables

io = pytest.importorskip("scipy.io", reason="package scipy is not installed")


def assert_same(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.shape == theirs.shape and ours.dtype.newbyteorder("=") == theirs.dtype.newbyteorder("=")
    if ours.dtype != object:
        np.testing.assert_array_equal(ours, theirs)
        return
    for one, other in zip(ours.ravel(), theirs.ravel()):
        assert_same(one, other)


@pytest.mark.parametrize("name", FILES)
def test_the_official_files(shared_data: Path, name: str) -> None:
    path = shared_data / "widerface" / "ground_truth" / name
    ours, theirs = read_variables(path), io.loadmat(path)
    assert list(ours) == [key for key in theirs if not key.startswith("__")]
    for key, value in ours.items():
        assert_same(value, theirs[key])


def cells(*values: object) -> np.ndarray:
    row = np.empty((1, len(values)), dtype=object)
    for place, value in enumerate(values):
        row[0, place] = value
    return row


@pytest.mark.parametrize("compressed", [False, True])
def test_all_that_they_may_hold(tmp_path: Path, compressed: bool) -> None:
    numbers = np.arange(24).reshape(2, 3, 4)
    kinds = "float32 float64 int8 uint8 int16 uint16 int32 uint32 int64 uint64".split()
    content = {
        **{f"of_{kind}": numbers.astype(kind) for kind in kinds},
        "none": np.zeros((0, 4)),
        "text": "a face",
        "of_cells": cells("1.jpg", cells(np.eye(2), "ä"), np.zeros((0, 0)), ""),
    }
    io.savemat(tmp_path / "some.mat", content, do_compression=compressed)
    ours, theirs = read_variables(tmp_path / "some.mat"), io.loadmat(tmp_path / "some.mat")
    assert set(ours) == set(content)
    for key, value in ours.items():
        assert_same(value, theirs[key])


HEADER = b"MATLAB 5.0".ljust(124) + b"\x00\x01IM"


def element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(what: int, dims: tuple[int, ...], *parts: bytes) -> bytes:
    flags = element(6, struct.pack("<II", what, 0))
    sizes = element(5, np.array(dims, "<i4").tobytes())
    return element(14, flags + sizes + element(1, b"a") + b"".join(parts))


DOUBLE, CELL, STRUCT = 6, 1, 2
ONE = matrix(DOUBLE, (1, 1), element(9, bytes(8)))
DEEP = ONE
for _ in range(9):
    DEEP = matrix(CELL, (1, 1), DEEP)


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "does not begin"),
        (HEADER[:-2] + b"MI" + ONE, "of little-endian numbers"),
        (b"\x89HDF\r\n\x1a\n".ljust(200), "does not begin"),  # MATLAB's version 7.3
        (HEADER + ONE[:-1], "cut short"),
        (HEADER + ONE + b"\x0e", "cut short"),
        (HEADER + element(9, bytes(8)), "element of type 9, 0 deep"),
        (HEADER + DEEP, "element of type 14, 9 deep"),
        (HEADER + element(14, bytes(8)), "not enough values"),
        (HEADER + matrix(DOUBLE, (2, 1), element(9, bytes(8))), "1 numbers where 2 belong"),
        (HEADER + matrix(DOUBLE, (1, 1), element(3, b"123")), "buffer size must be a multiple"),
        (HEADER + matrix(DOUBLE, (-1, 1), element(9, bytes(8))), "of the dimensions"),
        (HEADER + matrix(DOUBLE, (1,), element(9, bytes(8))), "of the dimensions"),
        (HEADER + matrix(DOUBLE, (1,) * 9, element(9, bytes(8))), "of the dimensions"),
        (HEADER + matrix(DOUBLE, (1, 1), element(77, bytes(8))), "type 77 where numbers belong"),
        (HEADER + matrix(DOUBLE | 0x0800, (1, 1), element(9, bytes(8))), "class 6, which no file"),
        (HEADER + matrix(DOUBLE, (1, 1)), "not enough values"),
        (HEADER + matrix(CELL, (1 << 30, 1), ONE), "1 cells where 1073741824 belong"),
        (HEADER + matrix(STRUCT, (1, 1), ONE), "class 2, which no file of WIDER FACE has"),
        (HEADER + matrix(4, (2, 3), element(16, b"abcdef")), "class 4, which"),
        (HEADER + matrix(4, (1, 3), element(9, bytes(8))), "type 9 where a text belongs"),
        (HEADER + matrix(4, (1, 1), element(16, b"\xff")), "can't decode"),
        (HEADER + struct.pack("<HHI", 1, 5, 0), "small element of 5 bytes"),
        (HEADER + element(15, b"none"), "incorrect header check"),
        (HEADER + element(15, zlib.compress(ONE)[:-5]), "cut short, or is too large"),
        (HEADER + element(15, zlib.compress(ONE + ONE)), "too many values"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "bad.mat").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        read_variables(tmp_path / "bad.mat")


def test_a_small_file_that_would_fill_the_memory(tmp_path: Path) -> None:
    bomb = zlib.compress(element(14, bytes(300 << 20)), 9)
    assert len(bomb) < 400_000
    (tmp_path / "bomb.mat").write_bytes(HEADER + element(15, bomb))
    with pytest.raises(ValueError, match="too large"):
        read_variables(tmp_path / "bomb.mat")
