"""Export requests: a network and the options of its export."""

from __future__ import annotations

import dataclasses
import hashlib
from functools import cached_property
from typing import Any

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.data.synthetic import draw_scene
from gluon_yolo.data.transforms.view import resize
from gluon_yolo.exporters.ir.graph import InferenceGraph
from gluon_yolo.exporters.ir.read_symbol import read_network
from gluon_yolo.exporters.verify import Reference
from gluon_yolo.exporters.verify_points import PointReference
from gluon_yolo.file_names import check_name, made_name
from gluon_yolo.inference.exported_format import ExportedFormat
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes.base import check_size
from gluon_yolo.landmarks import LandmarkSpec
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.nms import LEAST_SCORE, NMS_THRESHOLD, USUAL_DETECTIONS, candidates_for
from gluon_yolo.weights.darknet_header import Header

_SCENE_HW = (320, 320)  # a smaller size has no room for the drawn objects


@dataclasses.dataclass(frozen=True)
class NMSOptions:
    """Thresholds and limits of NMS, as in :class:`gluon_yolo.models.decode.Detect`.

    Args:
        nms_threshold: IoU above which NMS removes the box with the lower score of the same class; outside
            0..1 nothing is removed.
        score_threshold: pairs of anchor and class with this score or a lower one are left out; 0 or more.
        max_candidates: pairs that enter NMS; 0 becomes :func:`gluon_yolo.nms.candidates_for` the detections.
        max_detections: rows per image; at most ``max_candidates``.
    """

    nms_threshold: float = NMS_THRESHOLD
    score_threshold: float = LEAST_SCORE
    max_candidates: int = 0
    max_detections: int = USUAL_DETECTIONS

    def __post_init__(self) -> None:
        """Set the default of ``max_candidates``, and limit ``max_detections`` to it."""
        candidates = self.max_candidates or candidates_for(self.max_detections)
        object.__setattr__(self, "max_candidates", candidates)
        object.__setattr__(self, "max_detections", min(self.max_detections, candidates))

    @property
    def own_candidates(self) -> int | None:
        """``max_candidates`` for the record; None where it follows the detections."""
        return None if self.max_candidates == candidates_for(self.max_detections) else self.max_candidates


@dataclasses.dataclass(frozen=True)
class Request:
    """The input of each format's ``write``, and the reference for its verification.

    Args:
        net: an initialized network.
        name: stem of the file names.
        size_hw: height and width of the input in pixels.
        cut: where the graph ends; None is the format's default.
        precision: of the weights.
        fuse: whether batch normalisation of a symbol is folded.
        suppression: thresholds of the cut ``nms``.
        fit: how images are resized to the input, a mode of
            :class:`gluon_yolo.inference.preprocess.Preprocess`.
        header: of darknet weights; None is version 0.2.5 with no images seen.
        batch: batch size of a fixed input shape; None does not fix the shape.
        record: of the model, without its formats, for files that can contain it; None leaves it out.
        best_threshold: the score threshold with the best F1, for the record; None where it is not known.
        unverified: whether files are written that nothing here can run.
    """

    net: DetectionNetwork
    name: str
    size_hw: tuple[int, int]
    cut: str | None = None
    precision: str = "float32"
    fuse: bool = False
    suppression: NMSOptions = NMSOptions()
    fit: str = "resize"
    header: Header | None = None
    batch: int | None = None
    record: ModelRecord | None = None
    best_threshold: float | None = None
    unverified: bool = False

    @property
    def fixed(self) -> tuple[int, int, int] | None:
        """Batch, height and width of a fixed input shape; None where it is not fixed."""
        return None if self.batch is None else (self.batch, *self.size_hw)

    @property
    def one_shape(self) -> tuple[int, int, int]:
        """Batch, height and width of a file that takes one input shape: one image, unless they are fixed."""
        return self.fixed or (1, *self.size_hw)

    @cached_property
    def graph(self) -> InferenceGraph:
        """The network's inference graph, from which other runtimes' files are written; computed once.

        Raises:
            UserError: an operator is not supported.
        """
        return read_network(self.net)

    @cached_property
    def reference(self) -> Any:
        """The network's results on the images of the verification, of boxes or of points; computed once.

        Raises:
            UserError: they are not finite.
        """
        if isinstance(self.net.spec, LandmarkSpec):
            return PointReference(self.net, trial_images(self.size_hw))
        return Reference(self.net, trial_images(self.size_hw))

    def of(self, graph: InferenceGraph) -> Request:
        """Return the same request with another graph."""
        request = dataclasses.replace(self)
        request.__dict__["graph"] = graph
        return request

    def raw(self, *files: str) -> ExportedFormat:
        """Return the entry of a format whose files end at the raw maps."""
        return ExportedFormat(files, "raw", self.net.spec.output_names)


def checked_name(net: DetectionNetwork, name: str | None, size_hw: tuple[int, int]) -> str:
    """Return the stem of the file names.

    Args:
        net: to export.
        name: the stem; None is the network's name.
        size_hw: height and width of the input in pixels.

    Raises:
        UserError: the name is no plain file name, or the size does not suit the network.
    """
    check_size(size_hw, net.spec)
    return made_name(net.zoo_name) if name is None else check_name(name, "name")


def digest(net: DetectionNetwork) -> str:
    """Return the SHA-256 of a network's weights; the same weights give the same value on any device."""
    state = hashlib.sha256()
    for name, parameter in sorted(net._collect_params_with_prefix().items()):
        array = parameter_io.array(parameter)
        state.update(f"{name} {array.dtype} {array.shape}".encode())
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()


def trial_images(size_hw: tuple[int, int]) -> list[np.ndarray]:
    """Return images for the verification, (B, H, W, 3) uint8: one of noise, and two drawn scenes."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (1, *size_hw, 3), dtype=np.uint8)
    scenes = [resize(draw_scene(rng, _SCENE_HW)[0], size_hw) for _ in range(2)]
    return [noise, np.stack(scenes)]
