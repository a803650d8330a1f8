"""Predictor: a model, wherever it comes from, as one call from picture to detections. Imports no mxnet."""

from __future__ import annotations

import importlib
import importlib.util
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable, Union

import numpy as np

from gluon_yolo.boxes import select
from gluon_yolo.data.pictures import read_picture
from gluon_yolo.errors import UserError
from gluon_yolo.inference.fit import Fit
from gluon_yolo.inference.model_file import ModelFile, find_model_file, weights_of
from gluon_yolo.spec import Anchors, DetectionSpec
from gluon_yolo.structures import Detections

# Each runtime is a module with load(record, folder, gpu=None) -> Network.
RUNTIMES = {
    "mxnet": "gluon_yolo.inference.mxnet_runtime",
    "onnxruntime": "gluon_yolo.inference.onnxruntime_runtime",
    "openvino": "gluon_yolo.inference.openvino_runtime",
    "ncnn": "gluon_yolo.inference.ncnn_runtime",
}
# The file, after the model's name, that each reads.
_READS = {"mxnet": "-symbol.json", "onnxruntime": ".onnx", "openvino": ".onnx", "ncnn": ".param"}
AUTO = "auto"
FARTHEST = 1e6  # pixels from the picture; a box beyond is nowhere, and its area would overflow
Network = Callable[[np.ndarray], "tuple[np.ndarray, np.ndarray]"]
PathLike = Union[str, "os.PathLike[str]"]


class Predictor:
    """Finds objects in pictures: fit to the input size, network, threshold, suppression, back to the picture.

    Args:
        network: pixels (B, h, w, 3) uint8 RGB to boxes (B, N, 4) in input pixels and scores (B, N, C).
        spec: the model's class names and strides.
        size_hw: height and width that pictures are brought to, multiples of the largest stride.
        score_threshold: detections at or below it are left out.
        nms_threshold: overlap above which the worse of two boxes of a class falls.
        max_detections: detections per picture at most.
        fit: how a picture is brought to ``size_hw``.

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
    ):
        if min(size_hw) < spec.max_stride or any(side % spec.max_stride for side in size_hw):
            raise UserError(
                f"size {size_hw[0]}x{size_hw[1]}: both sides must be multiples of {spec.max_stride}"
            )
        for name, value in (("score threshold", score_threshold), ("NMS threshold", nms_threshold)):
            if not 0 <= value <= 1:
                raise UserError(f"{name} {value}: must lie within 0 and 1")
        self.spec = spec
        self.size_hw = (int(size_hw[0]), int(size_hw[1]))
        self.score_threshold = score_threshold
        self.nms_threshold = nms_threshold
        self.max_detections = max_detections
        self.fit = fit or Fit()
        self.timings = {"preprocess": 0.0, "network": 0.0, "postprocess": 0.0}
        self._network = network

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
            path: an exported model (its folder, or its ``NAME.json``), or a run (its folder, whose best
                weights are taken, or a weights file in it).
            runtime: one of ``RUNTIMES``; a run needs ``mxnet``. ``auto`` takes the first of them for which
                the model has a file and which is installed.
            size_hw: another input size than the model's own.
            gpu: index of a GPU; None runs on the processor.
            **options: thresholds, and another fit than the model's own, as the class takes them.

        Raises:
            UserError: when there is no model, or it is damaged.
        """
        path = Path(path)
        file = find_model_file(path)
        record = ModelFile.read(file)
        runtime = _choose(runtime, record, file.parent)
        module = _runtime(runtime)
        if record.cut is not None:
            network = module.load(record, file.parent, gpu=gpu)
        elif runtime != "mxnet":
            raise UserError(
                f"{path}: is a run, which only mxnet reads; export it, then load the export with {runtime}"
            )
        else:
            net = module.from_record(record, file.parent, weights_of(path))
            network = module.from_block(net, gpu=gpu)
        options.setdefault("fit", Fit(record.fit))
        return cls(network, record.spec, size_hw or record.size_hw, **options)

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
        net, known = _runtime("mxnet").from_weights(name, weights, class_names, anchors)
        options.setdefault("fit", Fit(known.fit))
        return cls.from_block(net, size_hw or known.size_hw, gpu, **options)

    @classmethod
    def from_block(
        cls, net: Any, size_hw: tuple[int, int] = (416, 416), gpu: int | None = None, **options: Any
    ) -> Predictor:
        """Take a :class:`gluon_yolo.nn.detector.DetectionNetwork` in memory with its weights as now."""
        return cls(_runtime("mxnet").from_block(net, gpu=gpu), net.spec, size_hw, **options)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names that the detections' class ids index."""
        return self.spec.class_names

    def __call__(self, picture: np.ndarray | PathLike) -> Detections:
        """Find the objects in one picture; ``timings`` then holds this call's milliseconds by part.

        Args:
            picture: (H, W, 3) uint8 RGB of any size, or the path of a picture file.

        Returns:
            Detections in the picture's own pixels, best score first.

        Raises:
            UserError: when the file cannot be read.
        """
        start = time.perf_counter()
        if not isinstance(picture, np.ndarray):
            picture = read_picture(picture)
        pixels, undo = self.fit(picture, self.size_hw)
        fitted = time.perf_counter()
        (detections,) = self.detect_batch(pixels[None])
        self.timings["preprocess"] = (fitted - start) * 1e3
        return detections.replace(boxes=undo(detections.boxes))

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
        boxes, scores = self._network(pictures)
        ran = time.perf_counter()
        if not np.isfinite(scores).all():
            raise UserError(
                "the network's scores are not finite numbers: its weights are damaged, or training diverged"
            )
        found = [self._select(boxes[i], scores[i]) for i in range(len(pictures))]
        self.timings = {
            "preprocess": 0.0,
            "network": (ran - start) * 1e3,
            "postprocess": (time.perf_counter() - ran) * 1e3,
        }
        return found

    def _select(self, boxes: np.ndarray, scores: np.ndarray) -> Detections:
        near = (np.abs(boxes) < FARTHEST).all(axis=1)  # an untrained network's exponentials overflow
        if not near.all():
            boxes, scores = boxes[near], scores[near]
        return select(
            boxes,
            scores,
            score_threshold=self.score_threshold,
            nms_threshold=self.nms_threshold,
            max_detections=self.max_detections,
        )


def _choose(runtime: str, record: ModelFile, folder: Path) -> str:
    """Return the runtime that ``auto`` means for a model, and any other as it is."""
    if runtime != AUTO:
        return runtime
    if record.cut is None:
        return "mxnet"
    fitting = [name for name, end in _READS.items() if (folder / f"{record.name}{end}").is_file()]
    installed = [name for name in fitting if importlib.util.find_spec(name) is not None]
    return [*installed, *fitting, "mxnet"][0]


def _runtime(name: str) -> Any:
    if name not in RUNTIMES:
        raise UserError(f"runtime {name!r}: unknown; known are {', '.join(RUNTIMES)}")
    return importlib.import_module(RUNTIMES[name])
