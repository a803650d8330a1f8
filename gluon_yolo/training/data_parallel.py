"""Devices: from what the user asks for to mxnet contexts, and a batch's parts onto them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gluon_yolo import mxnet_compat
from gluon_yolo.errors import SettingError
from gluon_yolo.mxnet_compat import mx, nd


def parse_devices(gpus: str, cpu_devices: int = 0) -> list[mx.Context]:
    """Turn ``gpus`` and ``cpu_devices`` into the contexts to train on.

    Args:
        gpus: numbers with commas between, as ``0,1``; empty for the CPU.
        cpu_devices: when above 0, so many CPU contexts, in the place of whatever ``gpus`` says.

    Returns:
        One context or more; the first is where single things are kept.

    Raises:
        UserError: when ``gpus`` cannot be understood, or a GPU is absent or of no use to this mxnet.
    """
    if cpu_devices < 0:
        raise SettingError(f"{{cpu_devices}}: expected a number of CPU contexts, got {cpu_devices}")
    if cpu_devices:
        return [mx.cpu(index) for index in range(cpu_devices)]
    indices = _indices(gpus)
    for index in indices:
        mxnet_compat.check_gpu(index)
    return [mx.gpu(index) for index in indices] or [mx.cpu()]


def _indices(gpus: str) -> list[int]:
    words = [word.strip() for word in gpus.split(",") if word.strip()]
    if not all(word.isdecimal() for word in words):
        raise SettingError(f'{{gpus}}: expected numbers as 0,1 or "" for the CPU, got {gpus!r}')
    indices = [int(word) for word in words]
    if len(set(indices)) != len(indices):
        raise SettingError(f"{{gpus}}: {gpus!r} names a GPU twice")
    return indices


def check_batch_size(batch_size: int, devices: int) -> None:
    """Return when a batch can be split evenly over so many devices.

    Raises:
        UserError: when it cannot; the message names the nearest sizes that can.
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
    """Copy each device's part of a batch onto it.

    Copy all parts before the first forward pass: with SyncBN on CPU contexts, the first device's pass holds
    the thread that a later copy needs until the second device's pass begins, which then never comes.

    Args:
        arrays: NumPy arrays (B, ...) of any type, which is kept; B divides by the number of contexts.
        contexts: D devices.

    Returns:
        D tuples with one NDArray (B / D, ...) per array, in the order of ``arrays``. The batch's first part
        goes to the first device.

    Raises:
        ValueError: when a batch cannot be split so.
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
