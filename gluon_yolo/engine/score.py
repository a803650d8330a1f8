"""Score: the one number by which a run's epochs are compared, and the metric that gives it."""

from __future__ import annotations

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.metrics import Metric
from gluon_yolo.metrics.coco_ap import COCOMetric
from gluon_yolo.metrics.voc_ap import VOCMetric

_KEYS = {"voc07": "VOC07_mAP50", "voc": "VOC_mAP50", "coco": "AP"}


def score(dataset: Dataset, kind: str = "auto") -> tuple[Metric, str]:
    """Return the metric of a validation, and which of its numbers decides.

    Args:
        dataset: the pictures to validate on.
        kind: ``voc07``, Pascal VOC's mean over eleven recalls at an IoU of 0.5; ``voc``, the area under
            the same curve, as darknet's ``map`` gives it; ``coco``, COCO's AP; ``auto``: ``coco`` for COCO's
            annotations, else ``voc07``.
    """
    if kind == "auto":
        kind = "coco" if dataset.is_coco else "voc07"
    metric = COCOMetric.from_dataset(dataset) if kind == "coco" else VOCMetric(dataset.class_names)
    return metric, _KEYS[kind]
