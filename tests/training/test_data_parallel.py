"""Data parallel training: the requested devices, and the division of a batch."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo import mxnet_compat
from gluon_yolo.errors import UserError
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.training.data_parallel import check_batch_size, parse_devices, split_batch
from tests.printed import refused


@pytest.fixture
def two_gpus(monkeypatch):
    """Simulate a machine with two GPUs."""

    def check_gpu(index):
        if index > 1:
            raise UserError(f"GPU {index} was asked for, and it is not there")

    monkeypatch.setattr(mxnet_compat, "check_gpu", check_gpu)


@pytest.mark.parametrize(
    "gpus, cpu_devices, expected",
    [
        ("", 0, [mx.cpu(0)]),
        (" ", 1, [mx.cpu(0)]),
        ("", 3, [mx.cpu(0), mx.cpu(1), mx.cpu(2)]),
        ("0,1", 2, [mx.cpu(0), mx.cpu(1)]),  # CPU contexts instead of the GPUs
        ("0", 0, [mx.gpu(0)]),
        (" 1, 0,", 0, [mx.gpu(1), mx.gpu(0)]),
    ],
)
def test_parse_devices(two_gpus, gpus, cpu_devices, expected):
    assert parse_devices(gpus, cpu_devices) == expected


@pytest.mark.parametrize(
    "gpus, cpu_devices, said",
    [
        ("0,2", 0, "GPU 2 was asked for"),
        ("all", 0, "expected numbers as 0,1"),
        ("-1", 0, "expected numbers as 0,1"),
        ("1,1", 0, "names a GPU twice"),
        ("", -1, "--cpu-devices"),
    ],
)
def test_parse_devices_refuses(two_gpus, gpus, cpu_devices, said):
    with refused(said):
        parse_devices(gpus, cpu_devices)


@pytest.mark.skipif(mx.runtime.Features().is_enabled("CUDA"), reason="for a wheel without CUDA")
def test_an_absent_gpu_suggests_the_cpu():
    with pytest.raises(UserError, match='GPU 0 .*--gpus ""'):
        parse_devices("0,1,2,3")


def test_check_batch_size():
    check_batch_size(64, 8)
    check_batch_size(5, 1)
    with pytest.raises(UserError, match="10 pictures .* 4 devices; use 8 or 12"):
        check_batch_size(10, 4)
    with pytest.raises(UserError, match="3 pictures .* 4 devices; use 4$"):
        check_batch_size(3, 4)
    with pytest.raises(UserError, match="1 or more, got 0"):
        check_batch_size(0, 1)


def test_split_batch_keeps_order_type_and_place():
    images = np.arange(4 * 2 * 2 * 3, dtype=np.uint8).reshape(4, 2, 2, 3)
    targets = np.linspace(0, 1, 4 * 5 * 12, dtype=np.float32).reshape(4, 5, 12)
    contexts = [mx.cpu(0), mx.cpu(1)]
    parts = split_batch([images, targets], contexts)
    for index, (context, part) in enumerate(zip(contexts, parts)):
        for array, whole in zip(part, (images, targets)):
            assert array.context == context and array.dtype == whole.dtype
            np.testing.assert_array_equal(array.asnumpy(), whole[2 * index : 2 * index + 2])


def test_split_batch_refuses_a_remainder():
    with pytest.raises(ValueError, match=r"\[3, 3\] do not split over 2"):
        split_batch([np.zeros((3, 1)), np.zeros((3, 1))], [mx.cpu(0), mx.cpu(1)])
