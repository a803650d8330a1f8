"""Predictor: a model, wherever it comes from, as one call from picture to detections. Imports no mxnet."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from gluon_yolo.boxes import select
from gluon_yolo.errors import UserError
from gluon_yolo.inference import fastest, runtimes
from gluon_yolo.inference.decode import RawMaps
from gluon_yolo.inference.fit import Fit
from gluon_yolo.inference.given import PathLike, Picture, picture_of
from gluon_yolo.inference.model_file import ModelFile, find_model_file
from gluon_yolo.inference.runtime import check_size
from gluon_yolo.inference.runtimes import RUNTIMES, Network
from gluon_yolo.spec import Anchors, DetectionSpec
from gluon_yolo.structures import Detections

__all__ = ["AUTO", "FARTHEST", "RUNTIMES", "Network", "Predictor"]

AUTO = "auto"
PARTS = ("preprocess", "network", "postprocess")  # of a call's time
FARTHEST = 1e6  # pixels from the picture; a box beyond is nowhere, and its area would overflow


class Predictor:
    """Finds objects in pictures: fit to the input size, network, threshold, suppression, back to the picture.

    Several threads may call one predictor, whatever its runtime, and get what one thread gets. ONNX Runtime,
    OpenVINO and ncnn then compute side by side, each call with as many threads as ``OMP_NUM_THREADS`` says;
    mxnet and MNN compute one call after the other. A network of one's own must allow it.

    Args:
        network: pixels (B, h, w, 3) uint8 RGB to boxes (B, N, 4) in input pixels and scores (B, N, C).
        spec: the model's class names and strides.
        size_hw: height and width that pictures are brought to, multiples of the largest stride.
        score_threshold: detections at or below it are left out.
        nms_threshold: overlap above which the worse of two boxes of a class falls.
        max_detections: detections per picture at most.
        fit: how a picture is brought to ``size_hw``.
        batch_size: pictures that the network takes at once, of a list of them.
        runtime: name of what computes; None for a network of one's own.

    Raises:
        UserError: when the size suits no grid of the model, or a threshold lies outside 0..1.
    """

    def __init__(
        self,
        network: Network,
        spec: DetectionSpec,
        size_hw: tuple[int, int],
        score_threshold: float = 0.3,
        nms_threshold: float = 0.45,
        max_detections: int = 100,
        fit: Fit | None = None,
        batch_size: int = 8,
        runtime: str | None = None,
    ):
        check_size(size_hw, spec)
        for name, value in (("score threshold", score_threshold), ("NMS threshold", nms_threshold)):
            if not 0 <= value <= 1:
                raise UserError(f"{name} {value}: must lie within 0 and 1")
        if batch_size < 1:
            raise UserError(f"batch size {batch_size}: expected 1 or more")
        self.spec = spec
        self.size_hw = (int(size_hw[0]), int(size_hw[1]))
        self.score_threshold = score_threshold
        self.nms_threshold = nms_threshold
        self.max_detections = max_detections
        self.fit = fit or Fit()
        self.batch_size = batch_size
        self.runtime = runtime
        self._network = network
        self._last = threading.local()

    @classmethod
    def load(
        cls,
        path: PathLike,
        runtime: str = AUTO,
        size_hw: tuple[int, int] | None = None,
        gpu: int | None = None,
        **options: Any,
    ) -> Predictor:
        """Load a model from disk.

        Args:
            path: an exported model (its folder, or its ``NAME.json``), or a run: ``RUN`` or ``RUN/best``
                takes its best weights, ``RUN/last`` its last, and a weights file in it that file.
            runtime: one of ``RUNTIMES``; a run needs ``mxnet``. ``auto`` takes the fastest of those that are
                installed and for which the model has a file, as measured here once
                (:mod:`gluon_yolo.inference.fastest`); ``predictor.runtime`` is its name.
            size_hw: another input size than the model's own.
            gpu: index of a GPU; None runs on the processor.
            **options: thresholds, and another fit than the model's own, as the class takes them.

        Raises:
            UserError: when there is no model, or it is damaged.
        """
        path = Path(path)
        file = find_model_file(path)
        record = ModelFile.read(file)
        size_hw = size_hw or record.size_hw
        check_size(size_hw, record.spec)
        options.setdefault("fit", Fit(record.fit))
        network: Network
        if record.is_run:
            network = runtimes.load_run("mxnet" if runtime == AUTO else runtime, record, path, gpu)
            runtime = "mxnet"
        elif runtime == AUTO:
            runtime, network = fastest.choose(record, file, size_hw, gpu)
        else:
            network = runtimes.load(runtime, record, file.parent, gpu)
        return cls(network, record.spec, size_hw, runtime=runtime, **options)

    @classmethod
    def from_network(
        cls,
        name: str,
        weights: PathLike,
        class_names: Sequence[str] | None = None,
        size_hw: tuple[int, int] | None = None,
        gpu: int | None = None,
        anchors: Anchors | None = None,
        **options: Any,
    ) -> Predictor:
        """Build a network of the zoo, or of a darknet cfg, and load weights into it.

        Args:
            name: the network, as :func:`gluon_yolo.nn.architecture.find` takes it.
            weights: a weights file, of any kind that the network reads.
            class_names: the classes; None takes those that the name's ending stands for.
            size_hw: input size in pixels; None takes the network's usual one.
            gpu: index of a GPU; None runs on the processor.
            anchors: per level (width, height) in input pixels; None takes the network's own.
            **options: thresholds, and another fit than the network's usual one, as the class takes them.

        Raises:
            UserError: for an unknown network, or weights that do not fit it.
        """
        net, known = runtimes.module_of("mxnet").from_weights(name, weights, class_names, anchors)
        options.setdefault("fit", Fit(known.fit))
        return cls.from_block(net, size_hw or known.size_hw, gpu, **options)

    @classmethod
    def from_block(
        cls, net: Any, size_hw: tuple[int, int] = (416, 416), gpu: int | None = None, **options: Any
    ) -> Predictor:
        """Take a :class:`gluon_yolo.nn.detector.DetectionNetwork` in memory with its weights as now."""
        network = runtimes.module_of("mxnet").from_block(net, gpu=gpu)
        return cls(network, net.spec, size_hw, runtime="mxnet", **options)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names that the detections' class ids index."""
        return self.spec.class_names

    @property
    def timings(self) -> dict[str, float]:
        """Milliseconds of this thread's last call: ``preprocess``, ``network``, ``postprocess``."""
        return dict(getattr(self._last, "timings", dict.fromkeys(PARTS, 0.0)))

    @overload
    def __call__(self, picture: Picture) -> Detections: ...
    @overload
    def __call__(self, picture: list[Picture] | tuple[Picture, ...]) -> list[Detections]: ...
    def __call__(self, picture: Any) -> Any:
        """Find the objects in a picture, or in each of several; ``timings`` then holds what the call took.

        Args:
            picture: as :func:`gluon_yolo.inference.given.picture_of` takes it: the path of a picture file; an
                array, (H, W, 3) uint8 RGB or grey, RGBA, 16 bit, 0..1; or PIL's image. A list or tuple of
                such, of any sizes, goes through the network in batches.

        Returns:
            Detections in the picture's own pixels, best score first; for a list, a list of them.

        Raises:
            UserError: when a file cannot be read, or what was given is no picture.
        """
        if not isinstance(picture, (list, tuple)):
            return self._detect([picture])[0]
        found: list[Detections] = []
        total = dict.fromkeys(PARTS, 0.0)
        for start in range(0, len(picture), self.batch_size):
            found += self._detect(picture[start : start + self.batch_size])
            total = {part: spent + self.timings[part] for part, spent in total.items()}
        self._last.timings = total
        return found

    def _detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        """Find the objects in some pictures by one call of the network."""
        start = time.perf_counter()
        fitted = [self.fit(picture_of(one), self.size_hw) for one in pictures]
        pixels = fitted[0][0][None] if len(fitted) == 1 else np.stack([pixels for pixels, _ in fitted])
        ready = time.perf_counter()
        found = self.detect_batch(pixels)
        self._last.timings["preprocess"] = (ready - start) * 1e3
        return [one.replace(boxes=undo(one.boxes)) for one, (_, undo) in zip(found, fitted)]

    def detect_batch(self, pictures: np.ndarray) -> list[Detections]:
        """Find the objects in pictures that already have one size; ``timings`` counts the whole batch.

        Args:
            pictures: (B, h, w, 3) uint8 RGB; h and w any multiples of the largest stride.

        Returns:
            B Detections in input pixels, best score first.

        Raises:
            ValueError: when the array has another shape or type.
            UserError: when the network gives scores that are no numbers.
        """
        if pictures.ndim != 4 or pictures.shape[3] != 3 or pictures.dtype != np.uint8:
            raise ValueError(f"pictures: expected (B, h, w, 3) uint8, got {pictures.shape} {pictures.dtype}")
        start = time.perf_counter()
        given = self._network(pictures)
        ran = time.perf_counter()
        found = [self._select(given, index) for index in range(len(pictures))]
        spent = (0.0, ran - start, time.perf_counter() - ran)
        self._last.timings = {part: seconds * 1e3 for part, seconds in zip(PARTS, spent)}
        return found

    def _select(self, given: Sequence[np.ndarray], index: int) -> Detections:
        """Return one picture's detections, of what the network gave for its batch."""
        if isinstance(given, RawMaps):
            boxes, scores = given.above(self.score_threshold, index)
        else:
            boxes, scores = given[0][index], given[1][index]
        if not np.isfinite(scores.max(initial=0)):
            raise UserError(
                "the network's scores are not finite numbers: its weights are damaged, or training diverged"
            )
        return select(
            boxes,
            scores,
            score_threshold=self.score_threshold,
            nms_threshold=self.nms_threshold,
            max_detections=self.max_detections,
            farthest=FARTHEST,  # an untrained network's exponentials overflow
        )
