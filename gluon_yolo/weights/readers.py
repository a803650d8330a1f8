"""Readers of other programs' weights files, by the kind of file and the family of the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.weights import darknet53, darknet_model, fastestv2
from gluon_yolo.weights.foreign import ForeignWeights

# A reader takes the path and the network, which it does not change. The network is of the family's class.
Reader = Callable[[Path, Any], ForeignWeights]

READERS: Mapping[tuple[str, str], Reader] = {
    ("darknet", "darknet"): darknet_model.read_for,
    ("darknet", "yolo3_darknet53"): darknet53.read,
    ("pth", "yolo_fastestv2"): fastestv2.read_for,
}


def reader_of(kind: str, net: DetectionNetwork) -> Reader | None:
    """Return the reader of a kind of file (``darknet``, ``pth``) for a network; None where there is none."""
    return READERS.get((kind, net.family))
