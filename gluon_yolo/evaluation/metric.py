"""Metrics: predicted boxes against ground truth -> average precision, as VOC and as COCO count it, and F1.

All metrics answer to the same two calls, so that ``engine.evaluate`` need not know which it feeds:
``observe(index, predicted, truth)`` for one image of the data set, boxes in that image's own pixels, and
``compute()`` for the numbers, a dict whose ``per_class`` entry maps class names to dicts.
"""

from __future__ import annotations

from typing import Any, Protocol

from gluon_yolo.detections import Detections


class Metric(Protocol):
    """What ``engine.evaluate`` asks of a metric."""

    def update(self, index: int, predicted: Detections, truth: Detections) -> None:
        """Take in image ``index`` of the data set."""

    def reset(self) -> None:
        """Forget all that was taken in."""

    def compute(self) -> dict[str, Any]:
        """Return the numbers over all that was taken in."""
