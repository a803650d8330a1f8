"""Predictor: a model of any origin as one call from images to detections. Imports no mxnet."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from gluon_yolo.data.tiles import OVERLAP, Tiling
from gluon_yolo.detections import Detections
from gluon_yolo.inference import postprocess
from gluon_yolo.inference.batch_detector import BatchDetector
from gluon_yolo.inference.call import Call, together
from gluon_yolo.inference.frames import Frame, Named, read_frames
from gluon_yolo.inference.open_model import AUTO, open_block, open_model
from gluon_yolo.inference.postprocess import FARTHEST, NMS
from gluon_yolo.inference.preprocess import Image, PathLike, Preprocess, load_image
from gluon_yolo.inference.runtimes import registry
from gluon_yolo.inference.runtimes.base import check_size
from gluon_yolo.inference.runtimes.registry import RUNTIMES, Network
from gluon_yolo.inference.tiles import detect_tiled
from gluon_yolo.input_size import Size
from gluon_yolo.nms import NMS_THRESHOLD, SHOWN_SCORE, USUAL_DETECTIONS
from gluon_yolo.spec import Anchors, DetectionSpec
from gluon_yolo.tables import html_table

__all__ = ["AUTO", "FARTHEST", "NMS", "RUNTIMES", "Network", "Predictor"]


class Predictor(BatchDetector):
    """Detect objects in images: preprocessing, network, threshold, NMS, boxes in the image's own pixels.

    Several threads may call one predictor, with any runtime; each gets the same result as a single thread,
    and its own ``timings`` and ``left_out``. An error in one thread is that thread's alone. With ONNX
    Runtime, OpenVINO, ncnn and torch calls run in parallel, each with ``OMP_NUM_THREADS`` threads; with
    mxnet, MNN, TFLite, OpenCV and torch on a GPU one after the other. Predictors may be loaded by several
    threads at once. A network of one's own must be thread-safe.

    Args:
        network: pixels (B, h, w, 3) uint8 RGB to boxes (B, N, 4) in input pixels and scores (B, N, C).
        spec: the model's class names and strides.
        size_hw: height and width of the input in pixels, multiples of the largest stride.
        score_threshold: detections with this score or a lower one are left out; 0..1. None takes 0.3.
        nms_threshold: IoU above which NMS removes the box with the lower score, 0..1; 0 and 1 switch NMS off.
        max_detections: largest number of detections per image, the best ones; ``left_out`` tells whether
            there were more.
        fit: how an image is resized to ``size_hw``.
        batch_size: images per call of the network, for a list of images.
        runtime: name of the runtime; None for a network of one's own.
        nms: ``"class"``: NMS within each class; ``"agnostic"``: between all boxes.
        classes_only: names of the classes to detect; the others are ignored before NMS. None is all.
        max_candidates: pairs of anchor and class that enter NMS, the best ones; None takes
            :func:`gluon_yolo.nms.candidates_for` the detections.
        network_limit: largest number of boxes that the network itself returns; None for a network that
            returns all.
        name: of the model, for ``repr``.
        gpu: index of the GPU that it runs on; None for the processor.
        tile: cut images into tiles of this size, in their pixels, such as 640 or (480, 640), and merge what
            is found in the tiles: for small objects in large images. None takes each image as it is.
        overlap: the share of a tile's side that its neighbour has too, 0..0.9.
        tile_whole: with tiles, detect in the whole image too, for objects that are larger than a tile.

    Raises:
        UserError: the size is no multiple of the largest stride, a threshold is outside 0..1, a limit is
            below 1, or a class is unknown.
    """

    def __init__(
        self,
        network: Network,
        spec: DetectionSpec,
        size_hw: tuple[int, int],
        score_threshold: float | None = None,
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
        tile: Size | None = None,
        overlap: float = OVERLAP,
        tile_whole: bool = False,
    ):
        super().__init__()
        check_size(size_hw, spec)
        score_threshold = SHOWN_SCORE if score_threshold is None else score_threshold
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
        self.name, self.gpu = name, gpu
        self.overlap = overlap
        self.tile_whole = tile_whole
        self._tiling = None if tile is None else Tiling.of(tile, overlap)
        self.tile = None if self._tiling is None else self._tiling.size_hw
        self._wanted = postprocess.class_ids_of(classes_only, spec.class_names)
        self.network_limit = network_limit
        self._network = network

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
            path: an exported model (its folder, its ``NAME.json``, or one of its files; an ONNX file and
                OpenVINO's ``.xml`` work without the others), or a run: ``RUN`` and ``RUN/best`` are its best
                weights, ``RUN/last`` its last, and a weights file in it is that file.
            runtime: one of ``RUNTIMES``; a run needs ``mxnet`` or ``torch``. ``auto`` is the fastest of the
                installed ones that have a file of this model, by a measurement
                (:mod:`gluon_yolo.inference.runtimes.autotune`); ``predictor.runtime`` has its name.
            size_hw: height and width of the input in pixels; None is the model's own size.
            gpu: index of a GPU; None is the CPU.
            remeasure: with ``auto``, measure even if there is a cached result.
            **options: arguments of the class, with these defaults: ``score_threshold``: the model's
                ``best_threshold``, else 0.3; ``nms_threshold`` 0.45, ``nms`` ``"class"``, ``classes_only``
                None (all), ``batch_size`` 8; ``max_detections``: that of the model's record, usually 100;
                ``max_candidates``: that of the record if both are, else 400, and eight per detection from 101
                on; ``fit``: the model's own.

        Raises:
            UserError: there is no model, or it is damaged.
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
        runtime: str = AUTO,
        **options: Any,
    ) -> Predictor:
        """Build a network of the zoo or of a darknet cfg, and load weights into it.

        Args:
            name: of the network, as for :func:`gluon_yolo.models.build.find_architecture`.
            weights: a weights file of any kind that the network can read.
            class_names: of the weights; None takes those of the data set in the network's name.
            size_hw: height and width of the input in pixels; None is the network's default.
            gpu: index of a GPU; None is the CPU.
            anchors: per level (width, height) in input pixels; None takes the network's own.
            runtime: ``mxnet`` or ``torch``; ``auto`` is mxnet, or torch for a GPU that mxnet cannot use.
            **options: as for :meth:`load`; the default of ``fit`` is the network's own.

        Raises:
            UserError: the network is unknown, or the weights do not fit it.
        """
        net, known = registry.module_of("mxnet").from_weights(name, weights, class_names, anchors)
        options = {"fit": Preprocess(known.fit), "name": name, **options}
        return cls.from_block(net, size_hw or known.size_hw, gpu, runtime, **options)

    @classmethod
    def from_block(
        cls,
        net: Any,
        size_hw: tuple[int, int] = (416, 416),
        gpu: int | None = None,
        runtime: str = AUTO,
        **options: Any,
    ) -> Predictor:
        """Return a predictor with a copy of the present weights of a network in memory."""
        return cls(**open_block(net, size_hw, gpu, runtime, options))

    def _shown(self) -> dict[str, str]:
        names = ["runtime", "size_hw", "score_threshold", "nms_threshold", "nms", "max_detections"]
        names += ["max_candidates"] if self.max_candidates else []
        names += ["tile", "overlap", "tile_whole"] if self.tile else []
        shown = {"model": repr(self.name), **{name: repr(getattr(self, name)) for name in names}}
        classes = {"class_names": self.class_names, "classes_only": self.classes_only}
        listed = {name: f"({postprocess.listed(some)})" for name, some in classes.items() if some is not None}
        return {**shown, "fit": repr(self.fit.mode), **listed}

    def __repr__(self) -> str:
        return f"Predictor({', '.join(f'{name}={value}' for name, value in self._shown().items())})"

    def _repr_html_(self) -> str:
        """Return the same as a table, as a notebook shows it."""
        return html_table(("Predictor", ""), self._shown().items())

    def replace(self, **options: Any) -> Predictor:
        """Return a predictor of the same network with other options of the class."""
        kept = {name: value for name, value in vars(self).items() if name[0] != "_"}
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
        """Detect the objects in an image, or in each image of a list; ``timings`` then has the duration.

        Args:
            image: as :func:`gluon_yolo.inference.preprocess.load_image` takes it: the path of an image file;
                an array, (H, W, 3) uint8 RGB or grey, RGBA, 16 bit, 0..1; or PIL's image. A list or tuple of
                such, of any sizes, goes through the network in batches.

        Returns:
            Detections in the image's own pixels, best score first, with the model's class names; for a list,
            a list of them.

        Raises:
            UserError: a file cannot be read, or the argument is no image.
        """
        images = image if isinstance(image, (list, tuple)) else [image]
        if self._tiling is None:
            starts = range(0, len(images), self.batch_size)
            call = together(self._detect(images[start : start + self.batch_size]) for start in starts)
        else:
            call = together(self._detect_tiles(load_image(one)) for one in images)
        self._keep(call)
        return call.found if images is image else call.found[0]

    def _detect(self, images: Sequence[Image]) -> Call:
        """Detect the objects in some images with one call of the network."""
        start = time.perf_counter()
        fitted = [self.fit(load_image(one), self.size_hw) for one in images]
        pixels = fitted[0][0][None] if len(fitted) == 1 else np.stack([pixels for pixels, _ in fitted])
        ready = time.perf_counter()
        found = self.detect_batch(pixels)
        timings = {**self.timings, "preprocess": (ready - start) * 1e3}
        moved = [one.replace(boxes=undo(one.boxes)) for one, (_, undo) in zip(found, fitted)]
        return Call(moved, timings, self.left_out)

    def _detect_tiles(self, image: np.ndarray) -> Call:
        """Detect the objects in the tiles of an image, and merge them."""
        assert self._tiling is not None
        limits = (self.nms_threshold, self.nms == "agnostic", self.max_detections)
        return detect_tiled(self._detect, image, self._tiling, self.tile_whole, self.batch_size, *limits)
