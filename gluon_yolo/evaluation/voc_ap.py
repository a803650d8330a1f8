"""Pascal VOC's average precision at one IoU threshold, in its two definitions.

VOC 2007's is the mean of the precision at eleven recalls; the later one is the area under the
precision-recall curve (Everingham et al. 2010, "The Pascal Visual Object Classes (VOC) Challenge", section
4.2). The values equal those of GluonCV's ``VOC07MApMetric`` and ``VOCMApMetric``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon_yolo.detections import Detections
from gluon_yolo.evaluation.matching import Matching


class VOCMetric:
    """Collect predictions and ground truth by image, and compute Pascal VOC's average precision.

    Args:
        class_names: one name per class id.
        iou_threshold: IoU from which on a prediction matches an object.

    Attributes:
        matching: of all images; other metrics can use it.
    """

    def __init__(self, class_names: Sequence[str], iou_threshold: float = 0.5) -> None:
        self.matching = Matching(class_names, iou_threshold)
        self.class_names = self.matching.class_names
        self.iou_threshold = iou_threshold

    def reset(self) -> None:
        """Remove all images."""
        self.matching.reset()

    def update(self, index: int, predicted: Detections, truth: Detections) -> None:
        """Add one image, as :meth:`gluon_yolo.evaluation.matching.Matching.update`."""
        self.matching.update(predicted, truth, index)

    def compute(self) -> dict[str, Any]:
        """Return both means, and both values of every class.

        Returns:
            ``VOC07_mAP50`` and ``VOC_mAP50`` (50 for an IoU of 0.5), and ``per_class``: ``{name: {"AP07",
            "AP", "truths"}}``. A class without objects has NaN and is not in the means, which are NaN when no
            class has objects.
        """
        per_class: dict[str, dict[str, Any]] = {}
        for class_id, name in enumerate(self.class_names):
            matched = self.matching.of_class(class_id)
            numbers = {"AP07": float("nan"), "AP": float("nan")}
            if matched.truths:
                recall, precision = matched.curve()
                numbers = {"AP07": eleven_point_ap(recall, precision), "AP": area_ap(recall, precision)}
            per_class[name] = {**numbers, "truths": matched.truths}
        suffix = f"mAP{round(100 * self.iou_threshold)}"
        return {
            f"VOC07_{suffix}": _mean(entry["AP07"] for entry in per_class.values()),
            f"VOC_{suffix}": _mean(entry["AP"] for entry in per_class.values()),
            "per_class": per_class,
        }


def eleven_point_ap(recall: np.ndarray, precision: np.ndarray) -> float:
    """Return the mean over the recalls 0, 0.1 ... 1 of the best precision (P,) at this recall (P,) or up."""
    # Multiples of 0.1, as in GluonCV: the fourth is 0.30000000000000004, so a recall of 3/10 does not reach
    # it.
    points = [precision[recall >= point].max(initial=0.0) for point in np.arange(0.0, 1.1, 0.1)]
    return float(np.mean(points))


def area_ap(recall: np.ndarray, precision: np.ndarray) -> float:
    """Return the area under the curve of precision (P,) over recall (P,), with precision made monotonic."""
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def _mean(values: Any) -> float:
    """Return the mean of the values that are not NaN; NaN when there is none."""
    numbers = [value for value in values if not np.isnan(value)]
    return float(np.mean(numbers)) if numbers else float("nan")
