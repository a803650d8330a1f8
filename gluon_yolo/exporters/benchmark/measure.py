"""Measure the forms of a model: milliseconds side by side, differences from the first one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from gluon_yolo.errors import message_of
from gluon_yolo.exporters.benchmark.forms import Form, Say, line_of
from gluon_yolo.exporters.parity import largest_differences
from gluon_yolo.inference.runtimes.autotune_race import race
from gluon_yolo.inference.runtimes.autotune_timer import CallTimer
from gluon_yolo.inference.runtimes.registry import Network
from gluon_yolo.progress.bar import counting

BEST = 100  # anchors per image whose boxes are compared: those that can become detections
THREADS = "OMP_NUM_THREADS"


def time(forms: Sequence[Form], size_hw: tuple[int, int], threads: int, say: Say) -> list[float | None]:
    """Return the milliseconds of each form on one image, from pixels to boxes.

    Each form runs in a process of its own. They take turns, so that other load on the machine affects all.

    Args:
        forms: to measure.
        size_hw: height and width of the image in pixels.
        threads: of each.
        say: called with a line for each form that does not run, whose time is None.
    """
    timers: dict[str, CallTimer] = {}
    names = {str(number): form for number, form in enumerate(forms)}

    def failed(name: str, error: Exception) -> None:
        say(line_of(f"{names[name]} does not run here: {message_of(error)}"))

    try:
        with _threads(threads):
            title = f"load with {threads} thread{'s' * (threads != 1)}"
            for name, form in counting(names.items(), len(names), title, "form", leave=False):
                try:
                    timers[name] = CallTimer(form.runtime, form.path, size_hw)
                except Exception as error:  # each runtime's package raises errors of its own
                    failed(name, error)
        found = race(timers, failed)
        return [found[name].usual if name in found else None for name in names]
    finally:
        for timer in timers.values():
            timer.close()


Found = Sequence[Sequence[np.ndarray]]
"""Boxes and scores, by image."""


def found_in(network: Network, images: np.ndarray) -> Found:
    """Return a form's boxes and scores in each image.

    Args:
        network: the form.
        images: (B, h, w, 3) uint8 RGB.
    """
    return [[np.asarray(array) for array in network(image[None])] for image in images]


def differences(
    reference: Found, other: Found, size_hw: tuple[int, int]
) -> tuple[float, float] | tuple[None, None]:
    """Return the largest differences between two forms: of boxes in input pixels, and of scores.

    Args:
        reference: what the form to compare with found. The boxes of its ``BEST`` anchors per image are
            compared.
        other: what the other form found.
        size_hw: height and width of the images.

    Returns:
        A pair of None where a graph returns the boxes of its NMS only.
    """
    worst = (0.0, 0.0)
    for expected, given in zip(reference, other):
        if [array.shape for array in expected] != [array.shape for array in given]:
            return None, None
        found = largest_differences(expected, given, size_hw, BEST)
        worst = (max(worst[0], found[0]), max(worst[1], found[1]))
    return worst


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """Set the number of threads of processes that are started within."""
    before = os.environ.get(THREADS)
    os.environ[THREADS] = str(number)
    try:
        yield
    finally:
        if before is None:
            del os.environ[THREADS]
        else:
            os.environ[THREADS] = before
