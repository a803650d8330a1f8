"""Files of safetensors: read as its library writes them, and damaged in every place."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.weights import safetensors_file
from tests.weights.classifier_arrays import write_safetensors

ARRAYS = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "half": np.array([1.5, -2], np.float16),
    "count": np.array(7, np.int64),
    "none": np.zeros((0, 3), np.float32),
}


def content(header, numbers=b"\0" * 8, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + numbers


def one(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"a": {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}}


def test_arrays_are_read_as_they_were_saved(tmp_path):
    found = safetensors_file.read(write_safetensors(tmp_path / "w.safetensors", ARRAYS, format="pt"))
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
        assert not found[name].flags.writeable


def test_bfloat16_becomes_float32(tmp_path):
    path = tmp_path / "w.safetensors"
    numbers = (np.array([1.5, -3], np.float32).view(np.uint32) >> 16).astype(np.uint16).tobytes()
    path.write_bytes(content(one("BF16", offsets=(0, 4)), numbers))
    np.testing.assert_array_equal(safetensors_file.read(path)["a"], np.array([1.5, -3], np.float32))


CASES = {
    "empty": (b"", "not a file of safetensors"),
    "text": (b"hello, world, here", "not a file of safetensors"),
    "web page": (b"<!DOCTYPE html><html>", "is a web page"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1", "pointer of Git LFS"),
    "cut in the header": (content(one())[:30], "cut short: it ends within its header"),
    "cut in the numbers": (content(one(), b"\0" * 5), "cut short: it ends within a"),
    "longer": (content(one(), b"\0" * 9), "has 9 bytes of numbers, and its header 8"),
    "no JSON": (content(b"{nothing}"), "its header is damaged"),
    "no tensors": (content({}, b""), "holds no tensors"),
    "unknown type": (content(one("F8_E4M3")), "numbers of the type F8_E4M3; save it as F32"),
    "other size": (content(one(shape=(3,))), r"a of shape \(3,\) and type F32 does not fit its 8 bytes"),
    "negative size": (content(one(shape=(-2,))), "what its header says of a is damaged"),
    "no place": (content({"a": {"dtype": "F32", "shape": [2]}}), "what its header says of a is damaged"),
    "a number": (content({"a": 3}), "what its header says of a is damaged"),
}


@pytest.mark.parametrize("written, message", CASES.values(), ids=CASES)
def test_damaged_files(written, message, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(written)
    with pytest.raises(UserError, match=message) as error:
        safetensors_file.read(path)
    assert str(error.value).startswith(f"{path}: ")
