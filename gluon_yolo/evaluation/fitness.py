"""The score by which the epochs of a run are compared, and its metrics."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.errors import SettingError
from gluon_yolo.evaluation.coco_ap import COCOMeans, is_counted
from gluon_yolo.evaluation.f1 import F1Metric
from gluon_yolo.evaluation.metric import Metric
from gluon_yolo.evaluation.voc_ap import VOCMetric
from gluon_yolo.nms import LEAST_SCORE

FITNESS = "fitness"
AP_SHARE = 0.9  # weight of COCO's AP in the fitness; the rest is that of AP50
_KEYS = {"fitness": FITNESS, "voc07": "VOC07_mAP50", "voc": "VOC_mAP50", "coco": "AP"}
_BY_COCO = ("fitness", "coco")

log = logging.getLogger("gluon_yolo")


def score(dataset: Dataset, kind: str = "auto", asked: str = "") -> tuple[list[Metric], str]:
    """Return the metrics of a validation, and the name of the value that compares epochs.

    Args:
        dataset: the validation images.
        kind: ``fitness`` (see :func:`fitness`); ``coco``: COCO's AP; ``voc07``: Pascal VOC's mean over eleven
            recalls at an IoU of 0.5; ``voc``: the area under the same curve, as in darknet's ``map``;
            ``auto``: ``fitness``, or, with a warning, ``voc07`` where pycocotools is not installed.
        asked: beginning of an error message; empty is the flag.

    Raises:
        UserError: the kind needs pycocotools, which is not installed.
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
    voc = VOCMetric(dataset.class_names)
    metrics: list[Metric] = [voc]
    if counted:
        metrics.append(COCOMeans.from_dataset(dataset))
    metrics.append(F1Metric(dataset.class_names, least_score=LEAST_SCORE, matching=voc.matching))
    return metrics, _KEYS[kind]


def fitness(numbers: Mapping[str, Any]) -> float:
    """Return 0.9 AP + 0.1 AP50, in COCO's definition.

    Most validation sets have few objects: AP50 does not change there while boxes still improve. AP alone, the
    mean over IoUs up to 0.95, is noisier where annotations are imprecise.
    """
    return AP_SHARE * float(numbers["AP"]) + (1 - AP_SHARE) * float(numbers["AP50"])


def kind_of(key: str | None, dataset: Dataset) -> str:
    """Return the kind of score with which a run began, from its checkpoint.

    Args:
        key: name of the value in the checkpoint; None in old runs without it, in which ``auto`` was COCO's AP
            for COCO annotations, else ``voc07``.
        dataset: the run's validation images.
    """
    if key is None:
        return "coco" if dataset.is_coco else "voc07"
    return next(kind for kind, known in _KEYS.items() if known == key)
