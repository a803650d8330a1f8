"""Batch auto: the largest batch that fits into the memory, of the machine or of a GPU."""

from __future__ import annotations

from typing import Callable

from gluon_yolo.errors import SettingError, SettingText
from gluon_yolo.system.memory import GB, HIGH, Memory
from gluon_yolo.text import counted
from gluon_yolo.training.memory_check import Wanted, largest_of
from gluon_yolo.training.memory_estimate import Footprint

MEASURED = (2, 4)  # images of a device in the two measured steps
GPU_PART = 0.85  # of the free memory of a GPU: the rest is for fragments, and for cuDNN's workspaces
AUTO = "{batch_size} auto"


def within(
    wanted: Wanted, footprint: Footprint, there: Memory | None, images: int
) -> tuple[int, SettingText]:
    """Return the largest batch that certainly fits into the memory of the machine.

    Args:
        wanted: the training, whose batch size does not count.
        footprint: of its memory, by batch size, for all devices together.
        there: the free memory; None where it is not known.
        images: of the training; a larger batch would repeat them.

    Returns:
        The batch size, a multiple of the devices and at least one for each; and a line for the log.

    Raises:
        SettingError: the free memory is not known.
    """
    if there is None:
        raise SettingError(f"{AUTO}: this system does not say how much memory it has: give {{memory}} GB")
    most = footprint.batch_within(there.free / HIGH, wanted.devices)
    return _chosen(most, wanted, images, f"there is {there}")


def within_gpus(
    wanted: Wanted, peak: Callable[[int], float], free: float, images: int
) -> tuple[int, SettingText]:
    """Return the largest batch for GPUs, by the memory that two small steps take.

    Args:
        wanted: the training, whose batch size does not count.
        peak: returns the bytes that a step takes on one GPU, by the number of its images.
        free: bytes that are free on that GPU.
        images: of the training; a larger batch would repeat them.

    Returns:
        The batch size, a multiple of the devices and at least one for each; and a line for the log.
    """
    few, more = MEASURED
    at_few, at_more = peak(few), peak(more)
    an_image = max(1.0, (at_more - at_few) / (more - few))
    footprint = Footprint(max(0.0, at_few - few * an_image), an_image)
    most = footprint.batch_within(GPU_PART * free) * wanted.devices
    there = f"a GPU has {free / GB:.1f} GB free, and steps of {few} and {more} pictures took"
    return _chosen(most, wanted, images, f"{there} {at_few / GB:.2f} and {at_more / GB:.2f} GB")


def _chosen(most: int, wanted: Wanted, images: int, there: str) -> tuple[int, SettingText]:
    devices = wanted.devices
    every = max(devices, images // devices * devices)
    at = largest_of(wanted.sizes_hw)
    if most >= every:
        batch, why = every, f"as many as there are training pictures, which fit at {at}"
    else:
        batch, why = max(devices, most), f"the largest that fits at {at}"
    steps = counted(max(1, images // batch), "step", form=",")
    return batch, SettingText(f"{AUTO}: {batch}, {why}; {there}. {{lr}} stays as given; an epoch has {steps}")
