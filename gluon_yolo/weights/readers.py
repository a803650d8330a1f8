"""Readers of other programs' weights files, by the kind of file and the family of the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.weights import darknet53, darknet_model, fastestv2, imagenet_file
from gluon_yolo.weights.foreign import ForeignWeights

# A reader takes the path and the network, which it does not change. The network is of the family's class.
Reader = Callable[[Path, Any], ForeignWeights]

_WIDTHS = ("1.0", "0.75", "0.5", "0.25")
_IMAGENET = (
    *(f"yolo3_mobilenet{width}" for width in _WIDTHS),
    *(f"yolo3_mobilenetv2_{width}" for width in _WIDTHS),
    "yolo3_darknet53",
)
READERS: Mapping[tuple[str, str], Reader] = {
    ("darknet", "darknet"): darknet_model.read_for,
    ("darknet", "yolo3_darknet53"): darknet53.read,
    ("pth", "yolo_fastestv2"): fastestv2.read_for,
    **{(kind, family): imagenet_file.read_for for kind in ("pth", "safetensors") for family in _IMAGENET},
}


def reader_of(kind: str, net: DetectionNetwork) -> Reader | None:
    """Return the reader of a kind of file for a network; None where there is none.

    Args:
        kind: of the file: ``darknet``, ``pth`` or ``safetensors``.
        net: the network.
    """
    return READERS.get((kind, net.family))
