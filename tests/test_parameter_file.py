"""Files of arrays: those that mxnet writes pass, and every damage is an error before mxnet reads them."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from gluon_yolo import parameter_file
from gluon_yolo.mxnet_compat import nd

ARRAYS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "half": np.ones(4, np.float16),
    "whole": np.array([-3]),
    "bytes": np.zeros((3, 1, 2), np.uint8),
    "signed": np.full((2, 2), -1, np.int8),
}


def test_what_mxnet_writes_is_read(tmp_path):
    path = tmp_path / "x.params"
    nd.save(str(path), {name: nd.array(array, dtype=array.dtype) for name, array in ARRAYS.items()})
    found = parameter_file.load(path)
    assert {name: array.asnumpy().tolist() for name, array in found.items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }
    nd.save(str(path), [nd.array(ARRAYS["a"])])
    assert parameter_file.load(path)[0].asnumpy().tolist() == ARRAYS["a"].tolist()


def array(shape=(2,), kind=0, device=1, storage=0, axes=None, magic=0xF993FAC9, values=8):
    axes = len(shape) if axes is None else axes
    head = struct.pack(f"<Iii{len(shape)}q", magic, storage, axes, *shape)
    return head + struct.pack("<iii", device, 0, kind) + bytes(values)


def content(*arrays, names=(b"a",), magic=0x112, count=None, behind=b""):
    head = struct.pack("<QQQ", magic, 0, len(arrays) if count is None else count)
    words = b"".join(struct.pack("<Q", len(name)) + name for name in names)
    return head + b"".join(arrays) + struct.pack("<Q", len(names)) + words + behind


WHOLE = content(array())
BAD = {
    "another kind of file": (content(array(), magic=0x113), "it does not begin as a list of arrays"),
    "an array of 4 TB": (content(array((2**40,))), "it asks for 4,398,046,511,104 bytes where 25 are left"),
    "a product beyond 64 bits": (content(array((2**40, 2**40))), "it asks for"),
    "a side below 0": (content(array((-1,))), "it has an array of shape (-1,)"),
    "2**30 axes": (content(array(axes=2**30)), "it has an array of 1,073,741,824 axes"),
    "a type that mxnet has not": (
        content(array(kind=99)),
        "it has an array of type 99, on a device of",
    ),
    "a device that mxnet has not": (
        content(array(device=7)),
        "it has an array of type 0, on a device",
    ),
    "sparse": (content(array(storage=1)), "it has a sparse array"),
    "2**60 arrays": (content(array(), count=2**60), "it asks for 12 bytes where 9 are left"),
    "fewer names": (content(array(), array()), "it has 2 arrays and 1 names"),
    "a name twice": (content(array(), array(), names=(b"a", b"a")), "two of its arrays have one name"),
    "a name that is no text": (content(array(), names=(b"\xff",)), "invalid start byte"),
    "a name of 2**62 bytes": (WHOLE[:-9] + struct.pack("<Q", 2**62), "it asks for 4,611,686,018,427,387,904"),
    "more behind it": (content(array(), behind=b"x"), "1 bytes follow its end"),
}


@pytest.mark.parametrize("name", BAD)
def test_damage_is_an_error_before_mxnet_reads_it(name, tmp_path, monkeypatch):
    data, message = BAD[name]
    path = tmp_path / "x.params"
    path.write_bytes(data)
    monkeypatch.setattr(nd, "load", lambda *_: pytest.fail("mxnet was given it"))
    with pytest.raises(ValueError) as error:
        parameter_file.load(path)
    assert message in str(error.value)


def test_a_file_that_ends_anywhere_is_an_error(tmp_path):
    path = tmp_path / "x.params"
    path.write_bytes(WHOLE)
    assert parameter_file.load(path)["a"].shape == (2,)
    for end in range(len(WHOLE)):
        path.write_bytes(WHOLE[:end])
        with pytest.raises(ValueError):
            parameter_file.check(path)
