"""Data parallel training: choose the devices, and divide a batch between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gluon_yolo import mxnet_compat
from gluon_yolo.errors import SettingError
from gluon_yolo.mxnet_compat import mx, nd


def parse_devices(gpus: str, cpu_devices: int = 0) -> list[mx.Context]:
    """Return the contexts to train on.

    Args:
        gpus: indices of GPUs with commas, such as ``0,1``; empty for the CPU.
        cpu_devices: when above 0, the number of CPU contexts to use instead of ``gpus``.

    Returns:
        One context or more. The first one holds what exists once.

    Raises:
        UserError: ``gpus`` cannot be parsed, or this mxnet cannot use a GPU.
    """
    if cpu_devices < 0:
        raise SettingError(f"{{cpu_devices}}: expected a number of CPU contexts, got {cpu_devices}")
    if cpu_devices:
        return [mx.cpu(index) for index in range(cpu_devices)]
    indices = gpu_indices(gpus)
    for index in indices:
        mxnet_compat.check_gpu(index)
    return [mx.gpu(index) for index in indices] or [mx.cpu()]


def gpu_indices(gpus: str) -> list[int]:
    """Return the indices of GPUs in a text with commas; none for an empty one.

    Raises:
        SettingError: the text cannot be parsed, or names a GPU twice.
    """
    words = [word.strip() for word in gpus.split(",") if word.strip()]
    if not all(word.isdecimal() for word in words):
        raise SettingError(f'{{gpus}}: expected numbers as 0,1 or "" for the CPU, got {gpus!r}')
    indices = [int(word) for word in words]
    if len(set(indices)) != len(indices):
        raise SettingError(f"{{gpus}}: {gpus!r} names a GPU twice")
    return indices


def check_batch_size(batch_size: int, devices: int) -> None:
    """Check that a batch can be divided evenly between the devices.

    Raises:
        UserError: it cannot; the message has the nearest valid sizes.
    """
    if batch_size < 1:
        raise SettingError(f"{{batch_size}}: expected 1 or more, got {batch_size}")
    if batch_size % devices:
        below = batch_size // devices * devices
        near = " or ".join(str(size) for size in (below, below + devices) if size)
        raise SettingError(
            f"{{batch_size}}: {batch_size} pictures cannot be split evenly over {devices} devices; use {near}"
        )


def split_batch(arrays: Sequence[np.ndarray], contexts: Sequence[mx.Context]) -> list[tuple[nd.NDArray, ...]]:
    """Copy the part of each device to the device.

    Copy all parts before the first forward pass. With SyncBN on CPU contexts, the forward pass of the first
    device waits for that of the second in the thread that a later copy needs: a deadlock.

    Args:
        arrays: NumPy arrays (B, ...) of any type, which is kept. B is a multiple of D.
        contexts: the D devices.

    Returns:
        D tuples with one NDArray (B / D, ...) for each array, in the order of ``arrays``. The first part of
        the batch is on the first device.

    Raises:
        ValueError: the batch cannot be divided evenly.
    """
    size = len(arrays[0])
    if size % len(contexts) or any(len(array) != size for array in arrays):
        lengths = [len(array) for array in arrays]
        raise ValueError(f"split_batch: batches of {lengths} do not split over {len(contexts)} devices")
    part = size // len(contexts)
    return [
        tuple(
            nd.array(array[index * part : (index + 1) * part], ctx=context, dtype=array.dtype)
            for array in arrays
        )
        for index, context in enumerate(contexts)
    ]
