"""The interface of metrics.

``evaluate`` calls ``update(index, predicted, truth)`` for each image of the data set, with boxes in the
image's own pixels, and then ``compute()``, which returns a dict whose ``per_class`` entry maps class names to
dicts.
"""

from __future__ import annotations

from typing import Any, Protocol

from gluon_yolo.detections import Detections


class Metric(Protocol):
    """What ``evaluate`` needs of a metric."""

    def update(self, index: int, predicted: Detections, truth: Detections) -> None:
        """Add image ``index`` of the data set."""

    def reset(self) -> None:
        """Remove all images."""

    def compute(self) -> dict[str, Any]:
        """Return the values over all images."""
