"""The loss of accuracy of a quantized or converted network against the float network."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from gluon_yolo.data.classes.mapping import ClassMap
from gluon_yolo.data.classes.spelling import Spellings
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.subset import Subset
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError
from gluon_yolo.evaluation.coco_ap import COCOMetric, is_counted
from gluon_yolo.evaluation.evaluate import evaluate
from gluon_yolo.evaluation.metric import Metric
from gluon_yolo.evaluation.voc_ap import VOCMetric
from gluon_yolo.inference.predictor import Network, Predictor
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.nms import LEAST_SCORE, NMS_THRESHOLD, USUAL_DETECTIONS
from gluon_yolo.progress.bar import counting
from gluon_yolo.spec import DetectionSpec

log = logging.getLogger("gluon_yolo")


class AccuracyDrop:
    """Compare the accuracy of networks with that of a reference network.

    Args:
        reference: the float network; it is evaluated at once.
        dataset: images and ground truth.
        spec: of the networks.
        size_hw: height and width of their input in pixels.
        fit: how images are resized to the input.
        nms_threshold: IoU above which NMS removes the box with the lower score of the same class.
        agreement: whether the ground truth is the reference's own detections (:func:`found_by`); only the
            area under VOC's curve is used then.
        coco: whether the ground truth is COCO's annotations; only COCO's AP is used then.
        spellings: other names of the classes in the data.
        max_detections: largest number of detections per image.
        max_candidates: pairs that enter NMS; None follows the detections.

    Attributes:
        keys: names of the values that are compared: VOC07's mAP and COCO's AP, which is sensitive to
            imprecise boxes; for an agreement VOC's mAP; without pycocotools VOC07's mAP only.
        baseline: all values of the reference.

    Raises:
        UserError: there is no object in the images, or the data has a class that the network does not have.
    """

    def __init__(
        self,
        reference: Network,
        dataset: Dataset,
        spec: DetectionSpec,
        size_hw: tuple[int, int],
        fit: Preprocess,
        nms_threshold: float = NMS_THRESHOLD,
        agreement: bool = False,
        coco: bool = False,
        spellings: Spellings | None = None,
        max_detections: int = USUAL_DETECTIONS,
        max_candidates: int | None = None,
    ) -> None:
        self.dataset, self.agreement = dataset, agreement
        if not any(len(dataset.annotations(index)) for index in range(len(dataset))):
            raise UserError(f"{dataset.report.title}: none of its {len(dataset)} pictures has an object")
        self.keys: tuple[str, ...] = ("AP",) if coco else ("VOC07_mAP50", "AP")
        if agreement:
            self.keys = ("VOC_mAP50",)
        elif not is_counted():
            self.keys = ("VOC07_mAP50",)
            log.warning(
                "COCO's AP is left out, since it needs pycocotools (pip install pycocotools): VOC07_mAP50 "
                "decides, which does not see boxes that are a little off"
            )
        self._spec, self._size_hw, self._fit, self._nms_threshold = spec, size_hw, fit, nms_threshold
        self._max_detections, self._max_candidates = max_detections, max_candidates
        self._renumbered = ClassMap(spec.class_names, dataset, spellings=spellings)
        self.baseline = self(reference)

    def __call__(self, network: Network) -> dict[str, Any]:
        """Return all values of a network, pixels to boxes and scores, as from ``evaluate``."""
        predictor = Predictor(
            network,
            self._spec,
            self._size_hw,
            score_threshold=LEAST_SCORE,
            nms_threshold=self._nms_threshold,
            max_detections=self._max_detections,
            max_candidates=self._max_candidates,
            fit=self._fit,
        )

        def detect(images: np.ndarray) -> list[Detections]:
            return [self._renumbered(found) for found in predictor.detect_batch(images)]

        metrics: list[Metric] = [VOCMetric(self.dataset.class_names)]
        if not self.agreement and is_counted():
            metrics.append(COCOMetric.from_dataset(self.dataset))
        return evaluate(detect, self.dataset, self._size_hw, 1, metrics, fit=self._fit, progress=True)

    def lost(self, numbers: Mapping[str, Any]) -> float:
        """Return the accuracy loss in percentage points: the largest over ``keys``."""
        return max(100 * float(self.baseline[key] - numbers[key]) for key in self.keys)


def found_by(predictor: Predictor, dataset: Dataset) -> Subset:
    """Return a data set's images with the detections of a predictor as ground truth.

    Raises:
        UserError: there are no detections in any image.
    """
    looked = counting(range(len(dataset)), len(dataset), "look with the model in float", "picture")
    truths = [predictor(dataset.image(index)).replace(scores=None) for index in looked]
    if not any(map(len, truths)):
        raise UserError(
            f"{dataset.report.title}: the model in float finds nothing from a score of "
            f"{predictor.score_threshold} on, so nothing to agree with; give pictures of what it knows"
        )
    return Subset(dataset, range(len(dataset)), truths, predictor.class_names)
