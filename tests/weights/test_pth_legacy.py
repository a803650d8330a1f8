"""PyTorch files of the kind before 1.6: read as they were written, and damaged in every place."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.weights import pth_file
from tests.weights.pth_writer import Storage, Tensor, legacy, tensor

ARRAYS = {
    "weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "half": np.array([1.5, -2], np.float16),
    "count": np.array(7, np.int64),
}
WHOLE = legacy({name: tensor(array) for name, array in ARRAYS.items()})
KEY = b"X\x01\x00\x00\x000"  # the pickled name of the first storage, at last in the list of storages
MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2)


def read(tmp_path, content):
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    return pth_file.read(path)


def test_arrays_are_read_as_they_were_saved(tmp_path):
    found = read(tmp_path, WHOLE)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_views_of_one_storage(tmp_path):
    numbers = Storage(np.arange(6, dtype=np.float32))
    found = read(
        tmp_path, legacy({"a": Tensor(numbers, 1, (2, 2), (1, 2)), "b": Tensor(numbers, 0, (6,), (1,))})
    )
    np.testing.assert_array_equal(found["a"], [[1, 3], [2, 4]])
    assert np.shares_memory(found["a"], found["b"])


def test_a_file_that_torch_wrote(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "torch.pth"
    state = {"conv.weight": torch.arange(12.0).reshape(3, 4).t(), "bf": torch.tensor([1.5]).bfloat16()}
    torch.save({"epoch": 1, "state_dict": state}, path, _use_new_zipfile_serialization=False)
    found = pth_file.read(path)
    np.testing.assert_array_equal(found["conv.weight"], np.arange(12.0).reshape(3, 4).T)
    np.testing.assert_array_equal(found["bf"], [1.5])


class Evil:
    def __reduce__(self):
        return print, ("run",)


CASES = {
    "cut within its pickles": (WHOLE[:60], "cut short or damaged"),
    "cut within its numbers": (WHOLE[:-3], "it ends within the 24 numbers of storage 0"),
    "cut before its numbers": (WHOLE[: WHOLE.rindex(b"]")], "cut short or damaged"),
    "longer": (WHOLE + b"rest", "goes on for 4 bytes behind its last tensor"),
    "of another version": (legacy({"a": tensor(np.ones(1))}, 1002), "of version 1002"),
    "with a function": (MAGIC + pickle.dumps(1001, 2) + pickle.dumps(Evil(), 2), "holds a __builtin__.print"),
    "without tensors": (legacy({"epoch": 3}), "holds no named tensors"),
    "with other keys": ((KEY[:-1] + b"9").join(WHOLE.rsplit(KEY, 1)), "is not that of its tensors"),
}


@pytest.mark.parametrize("content, message", CASES.values(), ids=CASES)
def test_damaged_files(content, message, tmp_path, capsys):
    with pytest.raises(UserError, match=message) as error:
        read(tmp_path, content)
    assert str(error.value).startswith(f"{tmp_path / 'w.pth'}: ")
    assert not capsys.readouterr().out


def test_every_cut_gives_an_error_of_one_line(tmp_path):
    for length in range(len(MAGIC), len(WHOLE)):
        with pytest.raises(UserError):
            read(tmp_path, WHOLE[:length])
