"""BatchTrial: whether a large batch of images finds memory, as two small ones before it show."""

from __future__ import annotations

import math
from typing import Callable, Optional

import numpy as np

from gluon_yolo.errors import SettingError
from gluon_yolo.system import memory

SMALL, LARGER = 4, 20  # the first wakes what is loaded once; the second shows what an image takes
TRIED_FROM = 33  # a smaller batch is a matter of megabytes
RESERVE = 1.15

Run = Callable[[np.ndarray], object]
Look = Callable[[], Optional[memory.Memory]]


def check_batch(
    run: Run, size_hw: tuple[int, int], batch_size: int, beside: float = 0.0, look: Look = memory.look
) -> None:
    """Try small batches before a large one, and refuse it where the memory that is there is too little.

    Args:
        run: takes (B, h, w, 3) uint8 RGB.
        size_hw: height and width of the input in pixels.
        batch_size: that is asked for.
        beside: bytes of an image of the batch for all that is held beside ``run``.
        look: says what is left.

    Raises:
        UserError: it would not fit; the message names one that does.
    """
    if batch_size < TRIED_FROM:
        return
    taken = [_taken(run, np.zeros((count, *size_hw, 3), dtype=np.uint8)) for count in (SMALL, LARGER)]
    there = look()
    if there is None or taken[1] is None:
        return
    an_image = RESERVE * (taken[1] / (LARGER - SMALL) + beside)
    need = an_image * batch_size
    if need <= there.free:
        return
    fitting = max(1, math.floor(there.free / an_image))
    raise SettingError(
        f"{{batch_size}} {batch_size}: would take about {need / memory.GB:.1f} GB of memory, and there is "
        f"{there}; give {{batch_size}} {min(fitting, batch_size - 1)}"
    )


def _taken(run: Run, pixels: np.ndarray) -> int | None:
    """Return by how many bytes a call lets this process grow; None where the system does not tell."""
    before = memory.resident()
    if before is None or not memory.forget_peak():
        return None
    run(pixels)
    after = memory.peak()
    return None if after is None else max(0, after - before)
