"""Call: what a call of a predictor gives for some images, its time and what its limits cut off."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gluon_yolo.detections import Detections

PARTS = ("preprocess", "network", "postprocess")  # of a call's time


class Call(NamedTuple):
    """The result of a call.

    Args:
        found: the detections of each image.
        timings: milliseconds by the names of ``PARTS``.
        left_out: for each image the best score that a limit cut off; 0 where none did.
    """

    found: list[Detections]
    timings: dict[str, float]
    left_out: tuple[float, ...]


def together(calls: Iterable[Call]) -> Call:
    """Return several calls as one; their times are added."""
    found: list[Detections] = []
    left_out: tuple[float, ...] = ()
    total = dict.fromkeys(PARTS, 0.0)
    for call in calls:
        found += call.found
        left_out += call.left_out
        total = {part: spent + call.timings[part] for part, spent in total.items()}
    return Call(found, total, left_out)


@contextlib.contextmanager
def timed(call: Call, part: str) -> Iterator[None]:
    """Add the time of a block to a part of a call's time."""
    start = time.perf_counter()
    yield
    call.timings[part] += (time.perf_counter() - start) * 1e3
