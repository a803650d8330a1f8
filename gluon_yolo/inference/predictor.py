"""Predictor: a model, wherever it comes from, as one call from image to detections. Imports no mxnet."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from gluon_yolo.detections import Detections
from gluon_yolo.inference import postprocess
from gluon_yolo.inference.frames import Frame, Named, read_frames
from gluon_yolo.inference.open_model import AUTO, open_model
from gluon_yolo.inference.postprocess import FARTHEST, NMS
from gluon_yolo.inference.preprocess import Image, PathLike, Preprocess, load_image
from gluon_yolo.inference.runtimes import registry
from gluon_yolo.inference.runtimes.base import check_size
from gluon_yolo.inference.runtimes.registry import RUNTIMES, Network
from gluon_yolo.nms import NMS_THRESHOLD, SHOWN_SCORE, USUAL_DETECTIONS
from gluon_yolo.spec import Anchors, DetectionSpec
from gluon_yolo.tables import html_table

__all__ = ["AUTO", "FARTHEST", "NMS", "RUNTIMES", "Network", "Predictor"]

PARTS = ("preprocess", "network", "postprocess")  # of a call's time


class Predictor:
    """Finds objects in images: fit to the input size, network, threshold, suppression, back to the image.

    Several threads may call one predictor, whatever its runtime, and get what one thread gets. ONNX Runtime,
    OpenVINO and ncnn then compute side by side, each call with as many threads as ``OMP_NUM_THREADS`` says;
    mxnet and MNN compute one call after the other. A network of one's own must allow it.

    Args:
        network: pixels (B, h, w, 3) uint8 RGB to boxes (B, N, 4) in input pixels and scores (B, N, C).
        spec: the model's class names and strides.
        size_hw: height and width that images are brought to, multiples of the largest stride.
        score_threshold: detections at or below it are left out; 0..1.
        nms_threshold: overlap above which the worse of two boxes falls, 0..1; at 0 and at 1 none falls.
        max_detections: detections per image at most, the best of them; ``left_out`` says when there were
            more.
        fit: how an image is brought to ``size_hw``.
        batch_size: images that the network takes at once, of a list of them.
        runtime: name of what computes; None for a network of one's own.
        nms: between which boxes one falls: ``"class"``, those of one class; ``"agnostic"``, any two.
        classes_only: names of the classes that are looked for; the others take no part. None is all.
        max_candidates: pairs of anchor and class that are compared, the best; None takes
            :func:`gluon_yolo.nms.candidates_for` the detections.
        network_limit: boxes at most that the network itself lets stand; None for one that gives all.
        name: of the model, for ``repr``.
        gpu: index of the GPU that it runs on; None for the processor.

    Raises:
        UserError: when the size suits no grid of the model, a threshold lies outside 0..1, a limit is below
            1, or a class is unknown.
    """

    def __init__(
        self,
        network: Network,
        spec: DetectionSpec,
        size_hw: tuple[int, int],
        score_threshold: float = SHOWN_SCORE,
        nms_threshold: float = NMS_THRESHOLD,
        max_detections: int = USUAL_DETECTIONS,
        fit: Preprocess | None = None,
        batch_size: int = 8,
        runtime: str | None = None,
        nms: str = "class",
        classes_only: Sequence[str] | None = None,
        max_candidates: int | None = None,
        network_limit: int | None = None,
        name: str | None = None,
        gpu: int | None = None,
    ):
        check_size(size_hw, spec)
        postprocess.check_limits(
            nms,
            {"score threshold": score_threshold, "NMS threshold": nms_threshold},
            {"batch size": batch_size, "max detections": max_detections, "max candidates": max_candidates},
        )
        self.spec = spec
        self.size_hw = (int(size_hw[0]), int(size_hw[1]))
        self.score_threshold = score_threshold
        self.nms_threshold = nms_threshold
        self.max_detections = max_detections
        self.fit = fit or Preprocess()
        self.batch_size = batch_size
        self.runtime = runtime
        self.nms = nms
        self.classes_only = classes_only
        self.max_candidates = max_candidates
        self.name = name
        self.gpu = gpu
        self._wanted = postprocess.class_ids_of(classes_only, spec.class_names)
        self.network_limit = network_limit
        self._network = network
        self._last = threading.local()

    @classmethod
    def load(
        cls,
        path: PathLike,
        runtime: str = AUTO,
        size_hw: tuple[int, int] | None = None,
        gpu: int | None = None,
        remeasure: bool = False,
        **options: Any,
    ) -> Predictor:
        """Load a model from disk.

        Args:
            path: an exported model (its folder, its ``NAME.json``, or one of its files, of which an ONNX file
                and OpenVINO's ``.xml`` may stand alone), or a run: ``RUN`` or ``RUN/best`` takes its best
                weights, ``RUN/last`` its last, and a weights file in it that file.
            runtime: one of ``RUNTIMES``; a run needs ``mxnet``. ``auto`` takes the fastest of those that are
                installed and for which the model has a file, as measured here
                (:mod:`gluon_yolo.inference.runtimes.autotune`); ``predictor.runtime`` is its name.
            size_hw: another input size than the model's own.
            gpu: index of a GPU; None runs on the processor.
            remeasure: with ``auto``, whether to measure anew whatever is remembered.
            **options: as the class takes them, here with their defaults: ``score_threshold`` 0.3,
                ``nms_threshold`` 0.45, ``nms`` ``"class"``, ``classes_only`` None (all), ``batch_size`` 8;
                ``max_detections``: what the model was trained or exported for, which is 100 where nobody said
                otherwise; ``max_candidates``: 400, and eight for each detection from 101 on; ``fit``: the
                model's own.

        Raises:
            UserError: when there is no model, or it is damaged.
        """
        return cls(**open_model(Path(path), runtime, size_hw, gpu, remeasure, options))

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
            name: the network, as :func:`gluon_yolo.models.build.find_architecture` takes it.
            weights: a weights file, of any kind that the network reads.
            class_names: the classes; None takes those that the name's ending stands for.
            size_hw: input size in pixels; None takes the network's usual one.
            gpu: index of a GPU; None runs on the processor.
            anchors: per level (width, height) in input pixels; None takes the network's own.
            **options: as :meth:`load` takes them; the fit is the network's usual one.

        Raises:
            UserError: for an unknown network, or weights that do not fit it.
        """
        net, known = registry.module_of("mxnet").from_weights(name, weights, class_names, anchors)
        options = {"fit": Preprocess(known.fit), "name": name, **options}
        return cls.from_block(net, size_hw or known.size_hw, gpu, **options)

    @classmethod
    def from_block(
        cls, net: Any, size_hw: tuple[int, int] = (416, 416), gpu: int | None = None, **options: Any
    ) -> Predictor:
        """Take a :class:`gluon_yolo.models.detector.DetectionNetwork` in memory with its weights as now."""
        network = registry.module_of("mxnet").from_block(net, gpu=gpu)
        options = {"name": net.zoo_name, "gpu": gpu, **options}
        return cls(network, net.spec, size_hw, runtime="mxnet", **options)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names that the detections' class ids index."""
        return self.spec.class_names

    @property
    def timings(self) -> dict[str, float]:
        """Milliseconds of this thread's last call: ``preprocess``, ``network``, ``postprocess``."""
        return dict(getattr(self._last, "timings", dict.fromkeys(PARTS, 0.0)))

    @property
    def left_out(self) -> tuple[float, ...]:
        """Return what a limit cut off in this thread's last call, a number for each image.

        It is the best score among what ``max_detections`` or ``max_candidates`` left out, 0 where that was
        nothing. Of candidates nobody knows whether they are objects of their own.
        """
        return tuple(getattr(self._last, "left_out", ()))

    def _shown(self) -> dict[str, str]:
        names = ("runtime", "size_hw", "score_threshold", "nms_threshold", "nms", "max_detections")
        shown = {"model": repr(self.name), **{name: repr(getattr(self, name)) for name in names}}
        classes = {"class_names": self.class_names, "classes_only": self.classes_only}
        listed = {name: f"({postprocess.listed(some)})" for name, some in classes.items() if some is not None}
        return {**shown, "fit": repr(self.fit.mode), **listed}

    def __repr__(self) -> str:
        """Return the model, what runs it, and all that decides what is found."""
        return f"Predictor({', '.join(f'{name}={value}' for name, value in self._shown().items())})"

    def _repr_html_(self) -> str:
        """Return the same as a table, as a notebook shows it."""
        return html_table(("Predictor", ""), self._shown().items())

    def replace(self, **options: Any) -> Predictor:
        """Return a predictor of the same network with other options, as the class takes them."""
        kept = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return Predictor(self._network, **{**kept, **options})

    def stream(self, source: Named | Sequence[Named], **options: Any) -> Iterator[tuple[Frame, Detections]]:
        """Find the objects in one image after the other, as they come: as ``demo`` goes through its sources.

        Args:
            source: files, folders, patterns, videos, webcams or URLs, one or several.
            **options: ``frames``, ``reconnect``, ``timeout`` and ``skip_bad``, as
                :func:`gluon_yolo.inference.frames.read_frames` takes them.

        Returns:
            An iterator over pairs: a frame with its ``image``, ``source`` and ``number``; its detections.

        Raises:
            UserError: nothing is found under a name; or, in the iteration, a source cannot be read.
        """
        return ((frame, self(frame.image)) for frame in read_frames(source, **options))

    @overload
    def __call__(self, image: Image) -> Detections: ...
    @overload
    def __call__(self, image: list[Image] | tuple[Image, ...]) -> list[Detections]: ...
    def __call__(self, image: Any) -> Any:
        """Find the objects in an image, or in each of several; ``timings`` then holds what the call took.

        Args:
            image: as :func:`gluon_yolo.inference.preprocess.load_image` takes it: the path of an image file;
                an array, (H, W, 3) uint8 RGB or grey, RGBA, 16 bit, 0..1; or PIL's image. A list or tuple of
                such, of any sizes, goes through the network in batches.

        Returns:
            Detections in the image's own pixels, best score first, with the model's class names; for a list,
            a list of them.

        Raises:
            UserError: when a file cannot be read, or what was given is no image.
        """
        if not isinstance(image, (list, tuple)):
            return self._detect([image])[0]
        found: list[Detections] = []
        left_out: tuple[float, ...] = ()
        total = dict.fromkeys(PARTS, 0.0)
        for start in range(0, len(image), self.batch_size):
            found += self._detect(image[start : start + self.batch_size])
            left_out += self.left_out
            total = {part: spent + self.timings[part] for part, spent in total.items()}
        self._last.timings, self._last.left_out = total, left_out
        return found

    def _detect(self, images: Sequence[Image]) -> list[Detections]:
        """Find the objects in some images by one call of the network."""
        start = time.perf_counter()
        fitted = [self.fit(load_image(one), self.size_hw) for one in images]
        pixels = fitted[0][0][None] if len(fitted) == 1 else np.stack([pixels for pixels, _ in fitted])
        ready = time.perf_counter()
        found = self.detect_batch(pixels)
        self._last.timings["preprocess"] = (ready - start) * 1e3
        return [one.replace(boxes=undo(one.boxes)) for one, (_, undo) in zip(found, fitted)]

    def detect_batch(self, images: np.ndarray) -> list[Detections]:
        """Find the objects in images that already have one size; ``timings`` counts the whole batch.

        Args:
            images: (B, h, w, 3) uint8 RGB; h and w any multiples of the largest stride.

        Returns:
            B Detections in input pixels, best score first.

        Raises:
            ValueError: when the array has another shape or type.
            UserError: when the network gives scores that are no numbers.
        """
        if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
            raise ValueError(f"pictures: expected (B, h, w, 3) uint8, got {images.shape} {images.dtype}")
        start = time.perf_counter()
        given = self._network(images)
        ran = time.perf_counter()
        limits = {name: getattr(self, name) for name in ("nms_threshold", "max_candidates", "max_detections")}
        limits.update(agnostic=self.nms == "agnostic", wanted=self._wanted)
        asked = (self.score_threshold, self.network_limit)
        chosen = [postprocess.choose_from(given, index, *asked, **limits) for index in range(len(images))]
        spent = (0.0, ran - start, time.perf_counter() - ran)
        self._last.timings = {part: seconds * 1e3 for part, seconds in zip(PARTS, spent)}
        self._last.left_out = tuple(one.left_out for one in chosen)
        return [one.found.replace(class_names=self.class_names) for one in chosen]
