"""Check that a large batch fits into memory, from the memory of two small batches."""

from __future__ import annotations

import math
from typing import Callable, Optional

import numpy as np

from gluon_yolo.errors import SettingError
from gluon_yolo.system import memory

SMALL, LARGER = 4, 20  # images; the first batch also loads what is needed once
TRIED_FROM = 33  # a smaller batch takes only megabytes
RESERVE = 1.15

Run = Callable[[np.ndarray], object]
Look = Callable[[], Optional[memory.Memory]]


def check_batch(
    run: Run, size_hw: tuple[int, int], batch_size: int, beside: float = 0.0, look: Look = memory.look
) -> None:
    """Run two small batches before a large one, and reject the large one if memory is too small.

    Args:
        run: function of pixels (B, h, w, 3) uint8 RGB.
        size_hw: height and width of the input in pixels.
        batch_size: requested number of images.
        beside: bytes per image for everything outside ``run``.
        look: function that returns the free memory.

    Raises:
        UserError: the batch would not fit; the message has a size that does.
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
    """Return by how many bytes a call increases the memory of this process; None where unknown."""
    before = memory.resident()
    if before is None or not memory.forget_peak():
        return None
    run(pixels)
    after = memory.peak()
    return None if after is None else max(0, after - before)
