"""Score: the one number by which a run's epochs are compared, and the metrics that give it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.errors import SettingError
from gluon_yolo.evaluation.coco_ap import COCOMeans, is_counted
from gluon_yolo.evaluation.metric import Metric
from gluon_yolo.evaluation.voc_ap import VOCMetric

FITNESS = "fitness"
AP_SHARE = 0.9  # of COCO's AP in the fitness; the rest is AP50
_KEYS = {"fitness": FITNESS, "voc07": "VOC07_mAP50", "voc": "VOC_mAP50", "coco": "AP"}
_BY_COCO = ("fitness", "coco")

log = logging.getLogger("gluon_yolo")


def score(dataset: Dataset, kind: str = "auto", asked: str = "") -> tuple[list[Metric], str]:
    """Return the metrics of a validation, and which of their numbers decides.

    Args:
        dataset: the images to validate on.
        kind: ``fitness``, see :func:`fitness`; ``coco``, COCO's AP; ``voc07``, Pascal VOC's mean over eleven
            recalls at an IoU of 0.5; ``voc``, the area under the same curve, as darknet's ``map`` gives it;
            ``auto``: ``fitness``, or ``voc07`` where pycocotools is not installed, which is said.
        asked: what asks for the kind, as an error begins; the setting, when empty.

    Raises:
        UserError: for a kind that needs pycocotools where it is not installed.
    """
    counted = is_counted()
    if kind == "auto":
        kind = "fitness" if counted else "voc07"
        if not counted:
            log.warning(
                "validation: COCO's AP needs pycocotools (pip install pycocotools), so the best epoch is "
                "chosen by VOC07_mAP50, which cannot tell a box that fits from one that is a little off"
            )
    if kind in _BY_COCO and not counted:
        raise SettingError(f"{asked or f'{{val_metric}} {kind}'} needs pycocotools: pip install pycocotools")
    metrics: list[Metric] = [VOCMetric(dataset.class_names)]
    if counted:
        metrics.append(COCOMeans.from_dataset(dataset))
    return metrics, _KEYS[kind]


def fitness(numbers: Mapping[str, Any]) -> float:
    """Return 0.9 AP + 0.1 AP50, by COCO's count.

    Over the few objects that most validations have, a score at one overlap stands still while boxes still get
    better; and AP by itself, the mean over overlaps up to 0.95, is noisier where boxes are loose.
    """
    return AP_SHARE * float(numbers["AP"]) + (1 - AP_SHARE) * float(numbers["AP50"])


def kind_of(key: str | None, dataset: Dataset) -> str:
    """Return the kind of score that a run began with, by the number that its checkpoint names.

    Args:
        key: the number; None in a run from before it was kept, when ``auto`` was COCO's AP on COCO's
            annotations, and else ``voc07``.
        dataset: the run's validation images.
    """
    if key is None:
        return "coco" if dataset.is_coco else "voc07"
    return next(kind for kind, known in _KEYS.items() if known == key)
