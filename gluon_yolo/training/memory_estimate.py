"""TrainMemory: what training a network takes of the machine's memory, by its graph and some measurements.

mxnet keeps for the backward pass what each operator put out, plans its gradients into a few buffers, and
brings maps into layouts of its own on the way. The factors here are what ``benchmarks/train_memory.py``
measured over networks, batches and sizes; its table says how near the estimate comes.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gluon_yolo.evaluation.validation import BATCH_SIZE
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.models.layers import fuse_for_training
from gluon_yolo.mxnet_compat import autograd, mx

FLOAT = 4  # bytes
# What of an operator's outputs is kept, where it is not all of them: one writes over its input, another is
# used up at once, a third is no kernel of MKLDNN's and has a copy in each layout.
_KEPT = {
    "Activation": 0.25,
    **dict.fromkeys(("Cast", "transpose", "_div_scalar", "broadcast_sub"), 0.0),
    "clip": 1.8,
}
_LARGEST = 4.0  # times the largest map: gradients and layouts at the widest place
_VALIDATED = 3.0  # times the largest map: of an image that is only looked at
_ROW = 8.0  # times an anchor's channels: copies of the raw maps in the losses
_TRUTHS = 2.5  # times anchors and objects: overlaps in the losses
_WEIGHTS = 1.3  # times all weights: momenta, and layouts
_WIDEST = 4.0  # times the largest weight: space that operators borrow
_COPIES, _COPY = 4, 2.4  # of that space mxnet has so many; further ones hold so many times the largest weight
_BASE = 80e6
_SIZES = 1.15  # several sizes leave holes
_WORKER = 130e6  # a process that prepares images
_AHEAD = 4  # batches of pixels: the one in use, its copy in mxnet, and those made ahead


class Maps(NamedTuple):
    """What a network makes of one image, in bytes.

    Args:
        kept: of its maps, for the backward pass.
        largest: of them.
        raw: what it puts out.
        anchors: how many it has.
    """

    kept: float
    largest: float
    raw: float
    anchors: int


@dataclasses.dataclass(frozen=True)
class Footprint:
    """Memory of a training, beyond what the process holds when its network is built, in bytes.

    Args:
        fixed: whatever the batch.
        per_image: of the batch.
    """

    fixed: float
    per_image: float

    def of(self, batch_size: int) -> float:
        """Return the bytes for a batch."""
        return self.fixed + self.per_image * batch_size

    def batch_within(self, memory: float, devices: int = 1) -> int:
        """Return the largest batch for which so many bytes are enough, 0 where none is: it divides evenly."""
        most = math.floor(max(0.0, memory - self.fixed) / self.per_image)
        return most // devices * devices


class TrainMemory:
    """Estimates what training a network takes, of which the processor is the device, or several of it are.

    Args:
        net: its weights and their gradients set.
        val_size_hw: height and width of validation.
        devices: contexts that share the batch.
        objects: in an image of a batch, at most.
        beside: bytes for what goes on beside the network.
    """

    def __init__(
        self,
        net: DetectionNetwork,
        val_size_hw: tuple[int, int],
        devices: int = 1,
        objects: int = 0,
        beside: float = 0.0,
    ) -> None:
        """Take the network's graph; nothing is computed."""
        fuse_for_training(net)  # as the step will
        with autograd.record():
            raw = net(mx.sym.var("data"))
        self._graph = mx.sym.Group(list(raw) if isinstance(raw, (tuple, list)) else [raw])
        self._kept = _kept_shares(self._graph, net)
        self._anchors_per_level = net.spec.anchors_per_level
        self._objects = objects
        shapes = [parameter.shape for parameter in net.collect_params().values()]
        weights = FLOAT * sum(map(math.prod, shapes))
        widest = FLOAT * max(map(math.prod, shapes))
        copies = max(0, int(os.environ.get("MXNET_CPU_TEMP_COPY", _COPIES)) - _COPIES) if devices > 1 else 0
        a_device = _WEIGHTS * weights + _WIDEST * widest + copies * _COPY * widest
        self._val_size_hw = val_size_hw
        self._fixed = _BASE + devices * a_device + weights + beside

    def maps(self, size_hw: tuple[int, int]) -> Maps:
        """Return what the network makes of an image of a size."""
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
        """Return the estimate for batches that are drawn in some heights and widths.

        Args:
            sizes_hw: of training.
            val_size_hw: of validation; None takes the one that it was made with.
        """
        largest_hw = max(sizes_hw, key=math.prod)
        maps = self.maps(largest_hw)
        losses = _ROW * maps.raw + _TRUTHS * FLOAT * maps.anchors * self._objects
        an_image = maps.kept + _LARGEST * maps.largest + losses
        several = _SIZES if len(set(sizes_hw)) > 1 else 1.0
        validation = _VALIDATED * self.maps(val_size_hw or self._val_size_hw).largest * BATCH_SIZE
        return Footprint(self._fixed + validation, several * an_image + _AHEAD * 3 * math.prod(largest_hw))


def _kept_shares(graph: mx.sym.Symbol, net: DetectionNetwork) -> dict[str, float]:
    """Return by an operator's name what share of its output the backward pass keeps; weights are left out.

    Nothing is kept of what lies before the first weight that is trained.
    """
    trained = {name for name, parameter in net.collect_params().items() if parameter.grad_req != "null"}
    shares: dict[str, float] = {}
    reached: list[bool] = []  # by what is trained
    for node in json.loads(graph.tojson())["nodes"]:
        is_weight = node["op"] == "null"
        reached.append(
            node["name"] in trained if is_weight else any(reached[place] for place, *_ in node["inputs"])
        )
        if not is_weight:
            shares[node["name"]] = _KEPT.get(node["op"], 1.0) if reached[-1] else 0.0
    return shares


def beside_the_network(processes: int, decoded: float) -> float:
    """Return the bytes of what prepares images.

    Args:
        processes: that do so.
        decoded: bytes of the images that are held as they were read.
    """
    return processes * _WORKER + decoded
