"""OutOfMemory: the many words in which mxnet, CUDA and others say that memory is out, as one error."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Sequence
from typing import Callable

from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.size_advice import one_size

# mxnet's allocators for GPU and CPU; CUDA, cuDNN and cuBLAS by way of mxnet; C++'s, OpenCV's, NumPy's.
_SAID = re.compile(
    r"out[ _]of[ _]memory|failed to allocate|unable to allocate|insufficient memory|bad_alloc|MemoryError"
    r"|(?:CUDNN|CUBLAS|CURAND)_STATUS_(?:ALLOC|ALLOCATION)_FAILED|cudaErrorMemoryAllocation",
    re.IGNORECASE,
)


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error is about memory that is not there."""
    if isinstance(error, MemoryError):
        return True
    return not isinstance(error, UserError) and bool(_SAID.search(str(error)))


@contextlib.contextmanager
def explained(what: Callable[[], str]) -> Iterator[None]:
    """Turn a failure for lack of memory within the block into a UserError.

    Args:
        what: called then; says what was too large, and what to try, with settings by name in braces.

    Raises:
        UserError: memory was out.
    """
    try:
        yield
    except Exception as error:  # whatever a runtime's package raises
        if not is_out_of_memory(error):
            raise
        raise SettingError(what()) from error


def too_large(config: TrainConfig, devices: Sequence[object]) -> tuple[str, str]:
    """Say what of a training was too much for its devices' memory, and what to try.

    Args:
        config: of the run.
        devices: that share its batches.
    """
    height, width = max(config.sizes_hw, key=math.prod)
    batch = f"{{batch_size}} {config.batch_size} at {height}x{width}"
    half = max(1, config.batch_size // 2 // len(devices)) * len(devices)
    smaller = f"{{batch_size}} {half}" if half < config.batch_size else "a smaller {data_shape}"
    several = f", or {one_size(config.data_shape, True)}" if config.random_shape else ""
    on = ", ".join(map(str, devices))
    return f"out of memory on {on}, with {batch}", f"Start a run with {smaller}{several}"
