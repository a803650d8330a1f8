"""Out of memory: the errors of each program are recognized."""

from __future__ import annotations

import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.out_of_memory import explained, too_large
from tests.printed import printed

# Messages of mxnet 1.9.1: the CPU's was seen here under `ulimit -v`, the GPU's is from its source.
SAID = (
    'Traceback (most recent call last):\n  File "../src/storage/./cpu_device_storage.h", line 74\n'
    "MXNetError: Failed to allocate CPU Memory",
    "[12:00:00] src/storage/./pooled_storage_manager.h:161: cudaMalloc retry failed: out of memory",
    "Check failed: e == cudaSuccess || e == cudaErrorCudartUnloading: CUDA: out of memory",
    "Check failed: e == CUDNN_STATUS_SUCCESS (4 vs. 0) : cuDNN: CUDNN_STATUS_ALLOC_FAILED",
    "Check failed: err == CUBLAS_STATUS_SUCCESS (3 vs. 0) : CUBLAS_STATUS_ALLOC_FAILED",
    "std::bad_alloc",
)


@pytest.mark.parametrize("text", SAID)
def test_mxnets_words_become_one_error(text):
    with pytest.raises(UserError, match="^too large$"), explained(lambda: "too large"):
        raise mx.base.MXNetError(text)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 30.5 GiB for an array with shape (64, 8192, 8192)"),
        RuntimeError("a.jpg: MemoryError: Unable to allocate 3 GiB"),
        # torch's, on a CPU as it was seen here, and on a GPU as its source has it
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"
        ),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79 GiB"),
        RuntimeError(
            "a.jpg: error: OpenCV(4.8.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate"
        ),
    ],
)
def test_so_do_pythons_and_others(error):
    with pytest.raises(UserError, match="^too large$") as caught, explained(lambda: "too large"):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        mx.base.MXNetError("Check failed: shapes do not match"),
        ValueError("no"),
        UserError("out of memory it is not"),
    ],
)
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as caught, explained(lambda: "too large"):
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    "batch, devices, random, what, advice",
    [
        (
            64,
            1,
            True,
            "out of memory on gpu(0), with --batch-size 64 at 608x608",
            "--batch-size 32, or --data-shape 416 --random-shapes 416",
        ),
        (12, 4, False, "with --batch-size 12 at 416x416", "--batch-size 4"),
        (9, 3, False, "with --batch-size 9 at 416x416", "--batch-size 3"),
        (1, 1, False, "with --batch-size 1 at 416x416", "a smaller --data-shape"),
        (
            4,
            4,
            False,
            "out of memory on gpu(0), gpu(1), gpu(2), gpu(3), with --batch-size 4",
            "a smaller --data-shape",
        ),
    ],
)
def test_a_training_is_told_the_batch_to_try(batch, devices, random, what, advice):
    config = TrainConfig("net", batch_size=batch, random_shape=random)
    said = [printed(text) for text in too_large(config, [mx.gpu(index) for index in range(devices)])]
    assert what in said[0] and said[1] == f"Start a run with {advice}"
