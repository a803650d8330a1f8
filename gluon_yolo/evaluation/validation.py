"""Validation: a network's score on images that it is not trained on."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.errors import SettingText, UserError
from gluon_yolo.evaluation.evaluate import evaluate
from gluon_yolo.evaluation.fitness import FITNESS, fitness
from gluon_yolo.evaluation.image_grids import VALIDATION_IMAGES, ValidationGrid
from gluon_yolo.evaluation.metric import Metric
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.nms import LEAST_SCORE, USUAL_DETECTIONS
from gluon_yolo.text import counted

BATCH_SIZE = 8


class Validation:
    """Scores a network, as often as asked, on the same images.

    Args:
        dataset: the images and their truths.
        metrics: what is measured.
        score_key: the number by which networks are compared, one of theirs or :data:`FITNESS`.
        size_hw: height and width of the network's input.
        workers: threads that read images.
        fit: how images are brought to the input's size; stretched when None.
        max_detections: of an image, at most.

    Raises:
        UserError: when there is nothing to find in the images, or all of it is marked difficult, which the
            metrics do not count.
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
    ) -> None:
        """Check that there is something to score."""
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
        self.metrics = metrics
        self.score_key = score_key
        self.size_hw = size_hw
        self.workers = workers
        self.fit = fit
        self.max_detections = max_detections

    def crowded(self) -> str | SettingText:
        """Say how many images have more objects than are looked for; nothing where none has."""
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
        """Score a network's present weights.

        Returns:
            What :func:`gluon_yolo.evaluation.evaluate.evaluate` returns, with the fitness where COCO's
            numbers are there, and a sheet of images with what was found.
        """
        context = next(iter(net.collect_params().values())).list_ctx()[0]
        gpu = context.device_id if context.device_type == "gpu" else None
        predictor = Predictor.from_block(
            net, self.size_hw, gpu=gpu, score_threshold=LEAST_SCORE, max_detections=self.max_detections
        )
        seen = ValidationGrid(net.spec.class_names)
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
        )
        if "AP50" in numbers:
            numbers[FITNESS] = fitness(numbers)
        # Its blocks refer to one another in rings, and hold the memory of a batch until these are found.
        del predictor
        gc.collect()
        return numbers, seen.image_grid()
