"""TrainMemory: an estimate of the memory that a training needs, from its graph and measured factors.

mxnet keeps the outputs of operators for the backward pass, plans the gradients into a few buffers, and
converts maps to layouts of its own. ``benchmarks/train_memory.py`` measured the factors over networks,
batches and sizes; its table shows the error of the estimate.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gluon_yolo.evaluation.validation import BATCH_SIZE
from gluon_yolo.graph.node import Graph
from gluon_yolo.graph.symbol_text import text_of
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.models.layers import fuse_for_training
from gluon_yolo.mxnet_compat import autograd, mx

FLOAT = 4  # bytes
# The kept share of an operator's outputs, where it is not 1: some operators overwrite their input, some
# outputs are used at once, and operators without an MKLDNN kernel keep a copy in each layout.
_KEPT = {
    "Activation": 0.25,
    **dict.fromkeys(("Cast", "transpose", "_div_scalar", "broadcast_sub"), 0.0),
    "clip": 1.8,
}
_LARGEST = 4.0  # times the largest map: gradients and layouts at the widest place
_VALIDATED = 3.0  # times the largest map: of an image in validation
_ROW = 8.0  # times an anchor's channels: copies of the raw maps in the losses
_TRUTHS = 2.5  # times anchors and objects: overlaps in the losses
_WEIGHTS = 1.3  # times all weights: momenta, and layouts
_WIDEST = 4.0  # times the largest weight: temporary memory of operators
_COPIES, _COPY = 4, 2.4  # copies of that memory in mxnet; size of a further one, times the largest weight
# Of a teacher: times its weights, and times its largest map. Measured with MobileNet1.0, batches of 8 and 32,
# and DarkNet53, a batch of 4, at 320 pixels: 2.4 to 2.6, and 2.6; with torch 2.5 and 2.0.
_TEACHER, _TAUGHT = 2.5, 2.6
_BASE = 80e6
_SIZES = 1.15  # factor for several sizes, which fragment the memory
_WORKER = 130e6  # a worker process that prepares images
_AHEAD = 4  # batches of pixels: the present one, its copy in mxnet, and those prepared ahead


class Maps(NamedTuple):
    """The memory of a network's maps for one image, in bytes.

    Args:
        kept: maps that are kept for the backward pass.
        largest: the largest map.
        raw: the output maps.
        anchors: the number of anchors, which is not in bytes.
    """

    kept: float
    largest: float
    raw: float
    anchors: int


@dataclasses.dataclass(frozen=True)
class Footprint:
    """The memory of a training in bytes, beyond that of the process after the network is built.

    Args:
        fixed: for any batch size.
        per_image: for each image of a batch.
    """

    fixed: float
    per_image: float

    def of(self, batch_size: int) -> float:
        """Return the bytes for a batch size."""
        return self.fixed + self.per_image * batch_size

    def batch_within(self, memory: float, devices: int = 1) -> int:
        """Return the largest batch size for some bytes, a multiple of ``devices``; 0 if none fits."""
        most = math.floor(max(0.0, memory - self.fixed) / self.per_image)
        return most // devices * devices


class TrainMemory:
    """Estimates the memory of training a network on the CPU, as one device or several.

    Args:
        net: with its weights, and with their ``grad_req`` set.
        val_size_hw: input size in validation, height and width in pixels.
        devices: number of contexts that share a batch.
        objects: the largest number of objects in an image of a batch.
        beside: bytes that the process needs beside the network.
        teacher: that sees each batch too.
    """

    def __init__(
        self,
        net: DetectionNetwork,
        val_size_hw: tuple[int, int],
        devices: int = 1,
        objects: int = 0,
        beside: float = 0.0,
        teacher: DetectionNetwork | None = None,
    ) -> None:
        fuse_for_training(net)  # as TrainStep does
        with autograd.record():
            raw = net(mx.sym.var("data"))
        self._graph = mx.sym.Group(list(raw) if isinstance(raw, (tuple, list)) else [raw])
        self._kept = _kept_shares(self._graph, net)
        self._anchors_per_level = net.spec.anchors_per_level
        self._objects = objects
        shapes = [parameter.shape for parameter in net.collect_params().values()]
        weights = weight_bytes(net)
        widest = FLOAT * max(map(math.prod, shapes))
        copies = max(0, int(os.environ.get("MXNET_CPU_TEMP_COPY", _COPIES)) - _COPIES) if devices > 1 else 0
        a_device = _WEIGHTS * weights + _WIDEST * widest + copies * _COPY * widest
        self._val_size_hw = val_size_hw
        self._fixed = _BASE + devices * a_device + weights + beside
        self._teacher = None if teacher is None else TrainMemory(teacher, val_size_hw)
        if teacher is not None:
            self._fixed += _TEACHER * weight_bytes(teacher)

    def maps(self, size_hw: tuple[int, int]) -> Maps:
        """Return the memory of the maps for one image of a size."""
        inner = self._graph.get_internals()
        kept = largest = 0.0
        for name, shape in zip(inner.list_outputs(), inner.infer_shape(data=(1, *size_hw, 3))[1]):
            share = self._kept.get(re.sub(r"_output\d*$", "", name))
            if share is not None:
                size = FLOAT * float(np.prod(shape))
                kept, largest = kept + share * size, max(largest, size)
        raw = self._graph.infer_shape(data=(1, *size_hw, 3))[1]
        cells = [count * shape[2] * shape[3] for count, shape in zip(self._anchors_per_level, raw)]
        return Maps(kept, largest, FLOAT * sum(float(np.prod(shape)) for shape in raw), sum(cells))

    def at(
        self, sizes_hw: Sequence[tuple[int, int]], val_size_hw: tuple[int, int] | None = None
    ) -> Footprint:
        """Return the estimate for the input sizes of a training.

        Args:
            sizes_hw: the sizes of batches, each height and width in pixels.
            val_size_hw: input size in validation. None takes the constructor's.
        """
        largest_hw = max(sizes_hw, key=math.prod)
        maps = self.maps(largest_hw)
        losses = _ROW * maps.raw + _TRUTHS * FLOAT * maps.anchors * self._objects
        an_image = maps.kept + _LARGEST * maps.largest + losses
        if self._teacher:
            an_image += _TAUGHT * self._teacher.maps(largest_hw).largest
        several = _SIZES if len(set(sizes_hw)) > 1 else 1.0
        validation = _VALIDATED * self.maps(val_size_hw or self._val_size_hw).largest * BATCH_SIZE
        return Footprint(self._fixed + validation, several * an_image + _AHEAD * 3 * math.prod(largest_hw))


def weight_bytes(net: DetectionNetwork) -> int:
    """Return the bytes of all weights and statistics of a network."""
    return FLOAT * sum(math.prod(parameter.shape) for parameter in net.collect_params().values())


def _kept_shares(graph: mx.sym.Symbol, net: DetectionNetwork) -> dict[str, float]:
    """Return the share of each operator's output that the backward pass keeps, by name, without weights.

    Outputs before the first trained weight are not kept.
    """
    trained = {name for name, parameter in net.collect_params().items() if parameter.grad_req != "null"}
    shares: dict[str, float] = {}
    reached: list[bool] = []  # whether the node depends on a trained weight
    for node in Graph.from_json(text_of(graph)).nodes:
        if node.is_variable:
            reached.append(node.name in trained)
        else:
            reached.append(any(reached[source.node] for source in node.inputs))
            shares[node.name] = _KEPT.get(node.op, 1.0) if reached[-1] else 0.0
    return shares


def beside_the_network(processes: int, decoded: float) -> float:
    """Return the bytes for preparing images.

    Args:
        processes: number of worker processes.
        decoded: bytes of the decoded images in memory.
    """
    return processes * _WORKER + decoded
