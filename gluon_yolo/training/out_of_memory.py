"""Out of memory: recognize the errors of mxnet, CUDA and others, and turn them into one UserError."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Sequence
from typing import Callable

from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.size_advice import one_size

# Messages of mxnet's allocators; of CUDA, cuDNN and cuBLAS in mxnet; of torch's; of C++, OpenCV and NumPy.
_MESSAGES = re.compile(
    r"out[ _]of[ _]memory|failed to allocate|unable to allocate|insufficient memory|bad_alloc|MemoryError"
    r"|can't allocate memory"
    r"|(?:CUDNN|CUBLAS|CURAND)_STATUS_(?:ALLOC|ALLOCATION)_FAILED|cudaErrorMemoryAllocation",
    re.IGNORECASE,
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory is out."""
    if isinstance(error, MemoryError):
        return True
    return not isinstance(error, UserError) and bool(_MESSAGES.search(str(error)))


@contextlib.contextmanager
def explained(what: Callable[[], str]) -> Iterator[None]:
    """Turn an out-of-memory error of the block into a UserError.

    Args:
        what: returns the message: what was too large, and the fix, with setting names in braces.

    Raises:
        UserError: memory was out.
    """
    try:
        yield
    except Exception as error:  # each runtime's package raises errors of its own
        if not is_out_of_memory(error):
            raise
        raise SettingError(what()) from error


def too_large(config: TrainConfig, devices: Sequence[object], shares: int = 0) -> tuple[str, str]:
    """Return what was too large for the memory of the training's devices, and the fix.

    Args:
        config: of the run.
        devices: the devices of this process.
        shares: into how many equal parts a batch is divided; 0: one for each device.
    """
    height, width = max(config.sizes_hw, key=math.prod)
    batch = f"{{batch_size}} {config.batch_size} at {height}x{width}"
    shares = shares or len(devices)
    half = max(1, config.batch_size // 2 // shares) * shares
    smaller = f"{{batch_size}} {half}" if half < config.batch_size else "a smaller {data_shape}"
    several = f", or {one_size(config.data_shape, True)}" if config.random_shape else ""
    on = ", ".join(map(str, devices))
    return f"out of memory on {on}, with {batch}", f"Start a run with {smaller}{several}"
