"""Memory check: whether a training fits the free memory, and if not, which settings would."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from gluon_yolo.errors import SettingError
from gluon_yolo.system.memory import GB, HIGH, KILLED, Memory
from gluon_yolo.training.memory_estimate import TrainMemory
from gluon_yolo.training.size_advice import one_size

SMALLEST_SIDE = 96
ADVICE = "What fits"

Size = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The batches of the training to check.

    Args:
        batch_size: over all devices.
        sizes_hw: input sizes of the batches, height and width in pixels.
        data_shape: the input size without random sizes.
        stride: the sides are multiples of it.
        devices: number of contexts that share a batch.
        random_shape: whether sizes are drawn from ``sizes_hw``.
    """

    batch_size: int
    sizes_hw: Sequence[Size]
    data_shape: Size
    stride: int
    devices: int = 1
    random_shape: bool = False


def check(wanted: Wanted, estimate: TrainMemory, memory: Memory) -> str:
    """Compare the memory that a training needs with the free memory.

    Args:
        wanted: the training.
        estimate: of its memory.
        memory: the free memory.

    Returns:
        A message with setting names in braces. It begins with ``memory:`` if the training fits, else it is a
        warning.

    Raises:
        UserError: the training certainly does not fit; the message has settings that fit.
    """
    need = estimate.at(wanted.sizes_hw).of(wanted.batch_size)
    about = (
        f"about {need / GB:.1f} GB for a batch of {wanted.batch_size} at {largest_of(wanted.sizes_hw)}; "
        f"there is {memory}"
    )
    fate = memory.fate(need)
    if not fate:
        return f"memory: {about}"
    said = f"this training {fate}: it needs {about}. {advised(wanted, estimate, memory)}"
    if fate == KILLED:
        raise SettingError(f"memory: {said}")
    return said


def advised(wanted: Wanted, estimate: TrainMemory, memory: Memory) -> str:
    """Return a sentence with settings that fit, with their names in braces."""
    room = memory.free / HIGH
    batch = estimate.at(wanted.sizes_hw).batch_within(room, wanted.devices)
    if batch:
        return f"{ADVICE}: {{batch_size}} {batch}"
    sizes = smaller(wanted.data_shape, wanted.stride)
    if wanted.random_shape:
        sizes = [wanted.data_shape, *sizes]
    for size in sizes:
        batch = estimate.at([size], size).batch_within(room, wanted.devices)
        if batch:
            batch = min(batch, wanted.batch_size)
            return f"{ADVICE}: {one_size(size, wanted.random_shape)} {{batch_size}} {batch}"
    return "No size fits: end other programs, or take a smaller {network}"


def smaller(size_hw: Size, stride: int) -> list[Size]:
    """Return smaller sizes of about the same proportions, multiples of the stride, the largest first."""
    longest = max(size_hw)
    found = []
    for side in range(longest - stride, SMALLEST_SIDE - 1, -stride):
        height, width = (max(stride, round(s * side / longest / stride) * stride) for s in size_hw)
        found.append((height, width))
    return list(dict.fromkeys(found))


def largest_of(sizes_hw: Sequence[Size]) -> str:
    """Return the largest size of the batches as text, with ``up to`` if there are several."""
    largest = max(sizes_hw, key=math.prod)
    several = "up to " if len(set(sizes_hw)) > 1 else ""
    return f"{several}{largest[0]}x{largest[1]}"
