"""BatchDetector: a network, thresholds and NMS, for images of the network's input size."""

from __future__ import annotations

import threading
import time

import numpy as np

from gluon_yolo.detections import Detections
from gluon_yolo.errors import DamagedModel
from gluon_yolo.inference import postprocess
from gluon_yolo.inference.call import PARTS, Call
from gluon_yolo.inference.runtimes.registry import Network
from gluon_yolo.spec import DetectionSpec


class BatchDetector:
    """Detect objects in a batch of preprocessed images; the lower half of a ``Predictor``.

    ``Predictor`` sets the attributes, and documents them.
    """

    name: str | None
    spec: DetectionSpec
    score_threshold: float
    nms_threshold: float
    nms: str
    max_detections: int
    max_candidates: int | None
    network_limit: int | None
    _network: Network
    _wanted: np.ndarray | None

    def __init__(self) -> None:
        self._last = threading.local()

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names by class id."""
        return self.spec.class_names

    @property
    def timings(self) -> dict[str, float]:
        """Milliseconds of this thread's last call: ``preprocess``, ``network``, ``postprocess``."""
        return dict(getattr(self._last, "timings", dict.fromkeys(PARTS, 0.0)))

    @property
    def left_out(self) -> tuple[float, ...]:
        """For each image of this thread's last call, the best score that a limit cut off.

        The limits are ``max_detections`` and ``max_candidates``; 0 means that nothing was cut off. NMS has
        not seen the candidates that were cut off, so they may be duplicates.
        """
        return tuple(getattr(self._last, "left_out", ()))

    def _keep(self, call: Call) -> None:
        """Keep the times and limits of this thread's last call."""
        self._last.timings, self._last.left_out = call.timings, call.left_out

    def detect_batch(self, images: np.ndarray) -> list[Detections]:
        """Detect the objects in images of the input's size; ``timings`` is that of the whole batch.

        Args:
            images: (B, h, w, 3) uint8 RGB; h and w are multiples of the largest stride.

        Returns:
            B Detections in input pixels, by descending score.

        Raises:
            ValueError: the array has another shape or type.
            DamagedModel: the network's scores are not finite, or its output is no detector's.
        """
        if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
            raise ValueError(f"pictures: expected (B, h, w, 3) uint8, got {images.shape} {images.dtype}")
        start = time.perf_counter()
        given = self._network(images)
        ran = time.perf_counter()
        limits = {name: getattr(self, name) for name in ("nms_threshold", "max_candidates", "max_detections")}
        limits.update(agnostic=self.nms == "agnostic", wanted=self._wanted)
        asked = (self.score_threshold, self.network_limit)
        try:
            postprocess.check_output(given, len(images), self.spec.num_classes)
            chosen = [postprocess.choose_from(given, index, *asked, **limits) for index in range(len(images))]
        except DamagedModel as error:
            raise DamagedModel(f"{self.name}: {error}" if self.name else str(error)) from error
        spent = (0.0, ran - start, time.perf_counter() - ran)
        timings = {part: seconds * 1e3 for part, seconds in zip(PARTS, spent)}
        found = [one.found.replace(class_names=self.class_names) for one in chosen]
        self._keep(Call(found, timings, tuple(one.left_out for one in chosen)))
        return found
