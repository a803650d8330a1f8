"""Validation of a network during training."""

from __future__ import annotations

import functools
import gc
from collections.abc import Mapping, Sequence
from typing import Any, Callable

import numpy as np

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.errors import SettingText, UserError
from gluon_yolo.evaluation.details import DetailMetrics, Details
from gluon_yolo.evaluation.evaluate import evaluate
from gluon_yolo.evaluation.fitness import FITNESS, fitness
from gluon_yolo.evaluation.gathering import ALONE, Gathering
from gluon_yolo.evaluation.image_grids import VALIDATION_IMAGES, ValidationGrid
from gluon_yolo.evaluation.metric import Metric
from gluon_yolo.evaluation.voc_ap import VOCMetric
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.nms import LEAST_SCORE, SHOWN_SCORE, USUAL_DETECTIONS
from gluon_yolo.text import counted

BATCH_SIZE = 8


def block_predictor(net: DetectionNetwork, size_hw: tuple[int, int], **options: Any) -> Predictor:
    """Return a predictor of a Gluon network with its present weights, on its first device.

    Args:
        net: the network.
        size_hw: height and width of the input in pixels.
        **options: as :class:`gluon_yolo.inference.predictor.Predictor` takes them.
    """
    context = next(iter(net.collect_params().values())).list_ctx()[0]
    gpu = context.device_id if context.device_type == "gpu" else None
    return Predictor.from_block(net, size_hw, gpu=gpu, **options)


class Validation:
    """Evaluate a network on the validation images, as often as needed.

    Args:
        dataset: images and ground truth.
        metrics: to compute: those of :func:`gluon_yolo.evaluation.fitness.score`, if detailed.
        score_key: name of the value that compares epochs: one of the metrics' or :data:`FITNESS`.
        size_hw: height and width of the network's input in pixels.
        workers: threads that read images.
        fit: how images are resized to the input; None stretches them.
        max_detections: largest number of detections per image.
        detailed: whether :meth:`details` has to know all errors.

    Raises:
        UserError: there is no object in the images, or all are marked difficult, which metrics do not count.
    """

    def __init__(
        self,
        dataset: Dataset,
        metrics: Sequence[Metric],
        score_key: str,
        size_hw: tuple[int, int],
        workers: int = 2,
        fit: Preprocess | None = None,
        max_detections: int = USUAL_DETECTIONS,
        detailed: bool = False,
    ) -> None:
        report = dataset.report
        if not report.boxes:
            why = f"; the first finding: {report.issues[0]}" if report.issues else ""
            raise UserError(f"{report.title}: no object in any picture, so nothing to validate on{why}")
        if report.difficult == report.boxes:
            raise UserError(
                f"{report.title}: all {report.boxes:,} objects are marked difficult, which no score counts: "
                "take the mark off those that are to be found"
            )
        self.dataset = dataset
        self._detailed: DetailMetrics | None = None
        self.metrics = list(metrics)
        if detailed:
            matching = next(metric.matching for metric in metrics if isinstance(metric, VOCMetric))
            self._detailed = DetailMetrics(dataset, matching, SHOWN_SCORE)
            self.metrics.append(self._detailed)
        self.score_key = score_key
        self.size_hw = size_hw
        self.workers = workers
        self.fit = fit
        self.max_detections = max_detections

    def details(self, numbers: Mapping[str, Any]) -> Details | None:
        """Return the details of the last evaluation; None where they were not asked for.

        Args:
            numbers: its result.
        """
        return None if self._detailed is None else self._detailed.details(numbers)

    def crowded(self) -> str | SettingText:
        """Return a message about images with more objects than ``max_detections``; empty if there is none."""
        counts = [len(self.dataset.annotations(index)) for index in range(len(self.dataset))]
        most, over = self.max_detections, sum(count > self.max_detections for count in counts)
        if not over:
            return ""
        return SettingText(
            f"{self.dataset.report.title}: {counted(over, 'picture')} of {len(counts)} with more than {most} "
            f"objects, up to {max(counts)}, of which validation finds {most} at most; raise "
            "{max_detections}"
        )

    def __call__(self, net: DetectionNetwork) -> tuple[dict[str, Any], np.ndarray]:
        """Evaluate a Gluon network with its present weights, on its first device; see :meth:`measure`."""
        numbers, image_grid = self.measure(functools.partial(block_predictor, net))
        assert numbers is not None and image_grid is not None  # one process computes everything
        return numbers, image_grid

    def measure(
        self, make: Callable[..., Predictor], gathering: Gathering = ALONE
    ) -> tuple[dict[str, Any] | None, np.ndarray | None]:
        """Evaluate a predictor.

        Args:
            make: returns the predictor from ``size_hw``, ``score_threshold`` and ``max_detections``.
            gathering: divides the batches among processes.

        Returns:
            The result of :func:`gluon_yolo.evaluation.evaluate.evaluate`, with the fitness where COCO's
            values are there, and an image grid of detections. None in processes that do not compute the
            metrics.
        """
        predictor = make(self.size_hw, score_threshold=LEAST_SCORE, max_detections=self.max_detections)
        seen = ValidationGrid(predictor.class_names)
        for metric in self.metrics:
            metric.reset()
        numbers = evaluate(
            predictor.detect_batch,
            self.dataset,
            self.size_hw,
            BATCH_SIZE,
            self.metrics,
            workers=self.workers,
            fit=self.fit,
            progress=True,
            watch=seen,
            watched=VALIDATION_IMAGES,
            title="validate",
            gathering=gathering,
        )
        if "AP50" in numbers:
            numbers[FITNESS] = fitness(numbers)
        # The predictor's blocks have reference cycles, which keep a batch's memory until they are collected.
        del predictor
        gc.collect()
        return (numbers, seen.image_grid()) if numbers else (None, None)
