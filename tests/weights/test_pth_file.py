"""PyTorch files: every value in its place, and no code of a file is run."""

from __future__ import annotations

import collections
import os
import pickle
import struct

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.weights import pth_file
from tests.weights import pth_writer
from tests.weights.pth_writer import Storage, Tensor, tensor

SIX = np.arange(6, dtype=np.float32)
LEGACY = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)


def saved(tmp_path, found, **options):
    return pth_writer.save(tmp_path / "w.pth", found, **options)


def written(tmp_path, files, **options):
    return pth_writer.write(tmp_path / "w.pth", files, **options)


def refused(path, message):
    with pytest.raises(UserError, match=message) as error:
        pth_file.read(path)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize("order", ["little", "big", None])
@pytest.mark.parametrize("kind", pth_writer.KINDS)
def test_every_type_of_number(kind, order, tmp_path):
    expected = np.array([[0, 1, 1], [1, 0, 1]] if kind == "bool" else [[1, 2, 3], [100, 0, 7]], kind)
    (found,) = pth_file.read(saved(tmp_path, {"x": tensor(expected)}, order=order)).values()
    assert found.dtype == expected.dtype and found.dtype.isnative
    np.testing.assert_array_equal(found, expected)


def test_bfloat16(tmp_path):
    """Sign, exponent and the upper seven bits of the mantissa of a float32: 1, -2, 1.0078125."""
    storage = Storage(np.array([0x3F80, 0xC000, 0x3F81], "u2"), kind="BFloat16Storage")
    found = pth_file.read(saved(tmp_path, {"x": Tensor(storage, 0, (3,), (1,))}))["x"]
    assert found.dtype == np.float32 and found.tolist() == [1, -2, 1.0078125]


VIEWS = [
    (0, (2, 3), (3, 1), [[0, 1, 2], [3, 4, 5]]),
    (0, (3, 2), (1, 3), [[0, 3], [1, 4], [2, 5]]),  # transposed
    (1, (2, 2), (3, 1), [[1, 2], [4, 5]]),  # the last two columns
    (4, (), (), 4),  # a scalar
    (5, (1, 1), (10**30, 9), [[5]]),  # the stride of an axis of length 1 does not matter
    (2, (2, 0), (1, 1), [[], []]),  # empty
    (1, (2, 2), (1, 1), [[1, 2], [2, 3]]),  # overlapping
]


@pytest.mark.parametrize(("offset", "shape", "strides", "expected"), VIEWS)
def test_views_of_a_storage(offset, shape, strides, expected, tmp_path):
    found = pth_file.read(saved(tmp_path, {"x": Tensor(Storage(SIX), offset, shape, strides)}))["x"]
    assert found.shape == shape and found.tolist() == expected


def test_tensors_that_share_a_storage_do_so_still(tmp_path):
    storage = Storage(SIX)
    found = pth_file.read(
        saved(tmp_path, {"a": Tensor(storage, 0, (6,), (1,)), "b": Tensor(storage, 3, (3,), (1,))})
    )
    assert np.shares_memory(found["a"], found["b"])
    with pytest.raises(ValueError, match="read-only"):
        found["a"][0] = 1


class StateDict(collections.OrderedDict):
    """An ordered dict with an attribute, as PyTorch's."""

    def __reduce__(self):
        return collections.OrderedDict, (), {"_metadata": {"": {"version": 1}}}, None, iter(self.items())


A, B = tensor(SIX), tensor(SIX.reshape(2, 3))
CONTAINERS = [
    {"b": B, "a": A},
    collections.OrderedDict(b=B, a=A),
    StateDict(b=B, a=A),
    {"b": tensor(SIX.reshape(2, 3), parameter=True), "a": tensor(SIX, parameter=True)},
    {"epoch": 3, "state_dict": {"b": B, "a": A}, "optimizer": {"state": {0: {"m": A}}, "lr": 0.1}},
    {"model": StateDict(b=B, a=A), "best": [0.5, None, True, "x"]},
    {"b": B, "a": A, "extra_state": {"c": A}, "step": 3, 7: A},  # only named tensors are returned
]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("found", CONTAINERS, ids=range(len(CONTAINERS)))
def test_containers(found, protocol, tmp_path):
    arrays = pth_file.read(saved(tmp_path, found, protocol=protocol))
    assert list(arrays) == ["b", "a"]  # the file's order
    np.testing.assert_array_equal(arrays["a"], SIX)
    np.testing.assert_array_equal(arrays["b"], SIX.reshape(2, 3))


def test_any_root_will_do(tmp_path):
    path = written(tmp_path, pth_writer.parts({"a": A}), root="my_model")
    np.testing.assert_array_equal(pth_file.read(path)["a"], SIX)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"model": {"a": A}, "ema": {"a": A}}, r"several sets of weights \(model, ema\)"),
        ({"epoch": 3}, "holds no named tensors"),
        ({0: A}, "holds no named tensors"),
        ([A], "holds no named tensors"),
        (A, "holds no named tensors"),
        ({"net": {"model": {"a": A}}}, "holds no named tensors"),
    ],
)
def test_containers_that_are_no_state_dict(found, message, tmp_path):
    refused(saved(tmp_path, found), message)


class Calls:
    """An object that pickle writes as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_program_is_not_run(protocol, tmp_path):
    proof = tmp_path / "proof"
    for function, arguments, name in (
        (os.system, (f"touch {proof}",), r"(posix|nt)\.system"),
        (eval, (f"open({str(proof)!r}, 'w')",), r"(builtins|__builtin__)\.eval"),
        (open, (str(proof), "w"), r"_?io\.open"),
    ):
        refused(saved(tmp_path, {"a": Calls(function, *arguments)}, protocol=protocol), f"holds a {name}")
        pickled = pickle.dumps({"a": Calls(function, *arguments)}, protocol)
        refused(written(tmp_path, {"data.pkl": pickled}), f"holds a {name}")
    assert not proof.exists()


NAME = b"cos\nsystem\n"
COMMAND = b"X\x05\x00\x00\x00false"
PICKLES = [
    (NAME + COMMAND + b"\x85R.", "holds a os.system"),
    (b"(" + COMMAND + b"ios\nsystem\n.", "holds a os.system"),  # INST
    (b"(" + NAME + COMMAND + b"o.", "holds a os.system"),  # OBJ
    (b"ccollections\nOrderedDict.__class__\n.", "holds a collections.OrderedDict.__class__"),
    (b"\x82\x01.", "damaged"),  # a name by its number in Python's registry
    (b"ctorch._utils\n_rebuild_tensor_v2\n)R.", "damaged"),
    (b"ctorch\nFloatStorage\n)R.", "damaged"),
    (b"ctorch._utils\n_rebuild_parameter\nK\x01\x85R.", "damaged"),
    (b"K\x01Q.", "damaged"),  # a storage that is a number
    (b"r\xff\xff\xff\x7f.", "damaged"),  # a memo of 16 GB
    (b"K\x01r\xff\xff\xff\x7f.", "damaged"),
    (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", "damaged"),  # 8 EB of bytes
    (b"\x8b\xff\xff\xff\x7f.", "damaged"),  # a number of 2 GB
    (b"}" * 10, "damaged"),  # without an end
    (b"", "damaged"),
    (b"K\x01.", "holds no named tensors"),
]


@pytest.mark.parametrize(("pickled", "message"), PICKLES)
def test_pickles_that_pytorch_never_wrote(pickled, message, tmp_path):
    refused(written(tmp_path, {"data.pkl": b"\x80\x02" + pickled}), message)


def test_a_pickle_that_changes_what_reads_it_changes_it_for_itself_only(tmp_path):
    """BUILD sets attributes: of the function that makes tensors, and of the class of dicts."""
    for target in (b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n"):
        attributes = b"}X\x08\x00\x00\x00functionNs"
        slots = b"NX\x0c\x00\x00\x00__setstate__}X\x05\x00\x00\x00itemsNs\x86"
        for state in (attributes, slots):
            refused(written(tmp_path, {"data.pkl": b"\x80\x02" + target + state + b"b."}), "damaged|no named")
    assert pth_file.read(saved(tmp_path, StateDict(a=A)))["a"].tolist() == SIX.tolist()


SIZES = [
    (Tensor(Storage(SIX), 0, (7,), (1,)), r"x of shape \(7,\) does not fit the 6 numbers of data/0"),
    (Tensor(Storage(SIX), 1, (2, 3), (3, 1)), "does not fit"),
    (Tensor(Storage(SIX), 6, (), ()), "does not fit"),
    (Tensor(Storage(SIX), 0, (2, 2), (10**30, 1)), "does not fit"),
    (Tensor(Storage(SIX), 0, (10**6, 10**6), (0, 0)), "does not fit"),  # 4 TB from one number
    (Tensor(Storage(SIX), 0, (0, 10**30), (1, 1)), "cannot have the shape"),
    (Tensor(Storage(SIX), 0, (1,) * 99, (1,) * 99), "cannot have the shape"),
    (Tensor(Storage(SIX), 0, (2, 3), (1,)), "damaged"),
    (Tensor(Storage(SIX), -1, (2,), (1,)), "damaged"),
    (Tensor(Storage(SIX), 3, (2,), (-1,)), "damaged"),
    (Tensor(Storage(SIX), 0, (2.0,), (1,)), "damaged"),
    (Tensor(Storage(SIX), 0, None, (1,)), "damaged"),
    (Tensor(Storage(SIX, length=7), 0, (7,), (1,)), "24 bytes, and should have 7 numbers of 4"),
    (Tensor(Storage(SIX, length=5), 0, (5,), (1,)), "24 bytes, and should have 5 numbers of 4"),
    (Tensor(Storage(SIX, length=2**70), 0, (5,), (1,)), "should have"),
    (Tensor(Storage(SIX, kind="DoubleStorage"), 0, (6,), (1,)), "should have 6 numbers of 8"),
]


@pytest.mark.parametrize(("found", "message"), SIZES)
def test_sizes_that_do_not_fit(found, message, tmp_path):
    refused(saved(tmp_path, {"x": found}), message)


def test_parts_that_are_absent_or_wrong(tmp_path):
    files = pth_writer.parts({"a": A})
    without = {name: content for name, content in files.items() if name != "data/0"}
    refused(written(tmp_path, without), "data/0 is absent")
    refused(written(tmp_path, {**files, "byteorder": b"middle"}), "byteorder is b'middle'")
    refused(written(tmp_path, {"version": b"3\n"}), "one data.pkl")
    refused(written(tmp_path, {**files, "more/data.pkl": b""}), "one data.pkl")
    refused(written(tmp_path, {**files, "data/1": bytes(10**6)}, packed=True), "its archive is compressed")


def test_files_that_are_none(tmp_path):
    path = tmp_path / "w.pth"
    refused(path, "cannot be read")
    refused(tmp_path, "cannot be read")
    for content, message in (
        (b"", "not a file of PyTorch's"),
        (b"a text\n", "not a file of PyTorch's"),
        (LEGACY, "cut short or damaged"),
        (b"PK\x03\x04", "cut short"),
    ):
        path.write_bytes(content)
        refused(path, message)


def test_a_file_cut_short_anywhere(tmp_path):
    path = saved(tmp_path, {"a": A, "b": B})
    whole = path.read_bytes()
    for length in range(2, len(whole), 7):
        path.write_bytes(whole[:length])
        refused(path, "cut short")


def test_any_byte_may_be_wrong(tmp_path):
    """An error is a UserError; otherwise the arrays are the original ones, or their names differ."""
    files = pth_writer.parts(StateDict(a=A, b=B))
    rng = np.random.default_rng(0)
    outcomes = collections.Counter()
    for place in range(len(files["data.pkl"])):
        pickled = bytearray(files["data.pkl"])
        pickled[place] = rng.integers(256)
        path = written(tmp_path, {**files, "data.pkl": bytes(pickled)})
        try:
            arrays = pth_file.read(path)
        except UserError as error:
            assert str(error).startswith(str(path))
            outcomes["refused"] += 1
        else:
            assert all(np.isin(array, SIX).all() for array in arrays.values())
            outcomes["read"] += 1
    assert outcomes["refused"] > 100 and outcomes["read"] > 10


def test_wrong_checksum_or_header(tmp_path):
    path = saved(tmp_path, {"a": A})
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + struct.pack("B", whole[place] ^ 0x55) + whole[place + 1 :])
        try:
            assert pth_file.read(path)["a"].shape
        except UserError as error:
            assert str(error).startswith(str(path))
