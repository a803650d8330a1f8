"""What an export is asked for: a network and how it is to be written, checked before anything is."""

from __future__ import annotations

import dataclasses
import hashlib
from functools import cached_property

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.data.synthetic import draw_scene
from gluon_yolo.data.transforms.view import resize
from gluon_yolo.exporters.ir.graph import InferenceGraph
from gluon_yolo.exporters.ir.read_symbol import read_network
from gluon_yolo.exporters.verify import Reference
from gluon_yolo.file_names import check_name, made_name
from gluon_yolo.inference.exported_format import ExportedFormat
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes.base import check_size
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.nms import LEAST_SCORE, NMS_THRESHOLD, USUAL_DETECTIONS, candidates_for
from gluon_yolo.weights.darknet_header import Header

_SCENE_HW = (320, 320)  # smaller ones have no room for what is drawn


@dataclasses.dataclass(frozen=True)
class NMSOptions:
    """The thresholds, with the meaning and the defaults of :class:`gluon_yolo.models.decode.Detect`.

    Args:
        nms_threshold: overlap above which a worse box of the same class falls; outside 0..1 nothing falls.
        score_threshold: pairs of anchor and class at or below it are left out; 0 or more.
        max_candidates: pairs that enter suppression; given 0 it becomes
            :func:`gluon_yolo.nms.candidates_for` the detections.
        max_detections: rows returned per image; of more than ``max_candidates`` only these.
    """

    nms_threshold: float = NMS_THRESHOLD
    score_threshold: float = LEAST_SCORE
    max_candidates: int = 0
    max_detections: int = USUAL_DETECTIONS

    def __post_init__(self) -> None:
        """Let the candidates follow the rows, and keep the rows to what can be in them."""
        candidates = self.max_candidates or candidates_for(self.max_detections)
        object.__setattr__(self, "max_candidates", candidates)
        object.__setattr__(self, "max_detections", min(self.max_detections, candidates))


@dataclasses.dataclass(frozen=True)
class Request:
    """What each format writes, and what it is held to.

    Args:
        net: the network with its weights.
        name: stem of the files.
        size_hw: height and width of the input in pixels.
        cut: where the graph is to end; None leaves it to the format.
        precision: of the weights.
        fuse: whether a symbol's batch norms are folded.
        suppression: the thresholds of the cut ``nms``.
        fit: how images are brought to the input, a mode of
        :class:`gluon_yolo.inference.preprocess.Preprocess`.
        header: of darknet's weights; None takes version 0.2.5 with no images seen.
        batch: images that the files take at once, where they are to take that many of ``size_hw`` alone;
            None for any batch and size, in the formats that have both.
        record: of the model, but for its graphs, for files that can hold it; None leaves it out.
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

    @property
    def fixed(self) -> tuple[int, int, int] | None:
        """Batch, height and width that the files are to take alone; None for any."""
        return None if self.batch is None else (self.batch, *self.size_hw)

    @cached_property
    def graph(self) -> InferenceGraph:
        """The network as the graph that other runtimes' files are written from; read once for all of them.

        Raises:
            UserError: an operator has no counterpart there.
        """
        return read_network(self.net)

    @cached_property
    def reference(self) -> Reference:
        """What the network itself says of the trial's images; computed once for all formats.

        Raises:
            UserError: numbers that are not finite.
        """
        return Reference(self.net, trial_images(self.size_hw))

    def of(self, graph: InferenceGraph) -> Request:
        """Return the same request of another graph."""
        request = dataclasses.replace(self)
        request.__dict__["graph"] = graph
        return request

    def raw(self, *files: str) -> ExportedFormat:
        """Return the graph of files that end at the raw maps."""
        return ExportedFormat(
            files, "raw", tuple(f"raw_{level}" for level in range(self.net.spec.num_levels))
        )


def checked_name(net: DetectionNetwork, name: str | None, size_hw: tuple[int, int]) -> str:
    """Return the stem of the files to write.

    Args:
        net: what is to be written.
        name: the stem; None takes the network's name.
        size_hw: height and width of the input in pixels.

    Raises:
        UserError: the name is no plain file name, or the size does not suit the network.
    """
    check_size(size_hw, net.spec)
    return made_name(net.zoo_name) if name is None else check_name(name, "name")


def digest(net: DetectionNetwork) -> str:
    """Return the SHA-256 of a network's numbers, which is the same for the same weights wherever they lie."""
    state = hashlib.sha256()
    for name, parameter in sorted(net._collect_params_with_prefix().items()):
        array = parameter_io.array(parameter)
        state.update(f"{name} {array.dtype} {array.shape}".encode())
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()


def trial_images(size_hw: tuple[int, int]) -> list[np.ndarray]:
    """Return images of the model's size, (B, H, W, 3) uint8: noise alone, and two drawn scenes together."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (1, *size_hw, 3), dtype=np.uint8)
    scenes = [resize(draw_scene(rng, _SCENE_HW)[0], size_hw) for _ in range(2)]
    return [noise, np.stack(scenes)]
