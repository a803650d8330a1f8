"""Details: what an evaluation knows beside its numbers, and the metrics that find it out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.detections import Detections
from gluon_yolo.evaluation.confusion import Confusion, ConfusionMetric
from gluon_yolo.evaluation.curves import Curves
from gluon_yolo.evaluation.detection_store import DetectionStore
from gluon_yolo.evaluation.error_kinds import ErrorKinds, ErrorKindsMetric
from gluon_yolo.evaluation.matching import Matching
from gluon_yolo.evaluation.metric import Metric
from gluon_yolo.evaluation.ranking import ImageErrors, Ranking

_LISTED = 10  # images in the JSON


class Details(NamedTuple):
    """The parts of an evaluation that are no single numbers.

    Args:
        dataset: the images and their annotations.
        detections: of each image, by its index in the data set; ``detections[index]``.
        confusion: the confusion matrix at the shown threshold.
        errors: the kinds of errors, and what they cost.
        curves: precision, recall and F1 over the score, and precision over recall.
        ranking: the images by their errors, at the threshold with the best F1.
    """

    dataset: Dataset
    detections: DetectionStore
    confusion: Confusion
    errors: ErrorKinds
    curves: Curves
    ranking: Ranking

    def numbers(self) -> dict[str, Any]:
        """Return plain values, for JSON: ``confusion``, ``errors``, ``curves``, ``worst`` and ``best``."""
        return {
            "confusion": self.confusion.records(),
            "errors": self.errors.numbers(),
            "curves": self.curves.numbers(),
            "worst": self._listed(self.ranking.worst(_LISTED)),
            "best": self._listed(self.ranking.best(_LISTED)),
        }

    def _listed(self, images: list[ImageErrors]) -> list[dict[str, Any]]:
        return [image.numbers(self.dataset.name(image.index)) for image in images]


class DetailMetrics:
    """Collects predictions and ground truth by image for :class:`Details`; it has the interface of a metric.

    Args:
        dataset: the images and their annotations.
        matching: of a metric that is updated and reset with the same images.
        threshold: predictions with a higher score count in the confusion matrix.
    """

    def __init__(self, dataset: Dataset, matching: Matching, threshold: float) -> None:
        self._dataset, self._matching, self._threshold = dataset, matching, threshold
        self._detections = DetectionStore(dataset)
        self._confusion = ConfusionMetric(dataset.class_names, threshold, crowds=dataset.crowds)
        self._errors = ErrorKindsMetric(dataset.class_names, dataset.crowds)
        self._parts: tuple[Metric, ...] = (self._detections, self._confusion, self._errors)

    def reset(self) -> None:
        """Remove all images."""
        for part in self._parts:
            part.reset()

    def update(self, index: int, predicted: Detections, truth: Detections) -> None:
        """Add image ``index`` of the data set."""
        for part in self._parts:
            part.update(index, predicted, truth)

    def compute(self) -> dict[str, Any]:
        """Return no values; :meth:`details` needs those of other metrics."""
        return {"per_class": {}}

    def details(self, numbers: Mapping[str, Any]) -> Details:
        """Return the details of all images.

        Args:
            numbers: has ``best_threshold``, at which the images are ranked; the threshold of the confusion
                matrix is taken where it is NaN, since nothing is found.
        """
        best = float(numbers["best_threshold"])
        return Details(
            self._dataset,
            self._detections,
            self._confusion.confusion(),
            self._errors.error_kinds(),
            Curves(self._matching),
            Ranking(self._matching, self._threshold if math.isnan(best) else best),
        )
