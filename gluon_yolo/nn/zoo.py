"""The zoo: names to builders, under GluonCV's names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Callable

from gluon_yolo.class_names import COCO_CLASSES, VOC_CLASSES
from gluon_yolo.errors import UserError
from gluon_yolo.nn.backbones.darknet53 import darknet53
from gluon_yolo.nn.backbones.mobilenet import mobilenet
from gluon_yolo.nn.backbones.mobilenetv2 import mobilenetv2
from gluon_yolo.nn.detector import Detector
from gluon_yolo.nn.heads import YOLOv3Heads
from gluon_yolo.nn.layers import NormFactory, make_norm
from gluon_yolo.nn.necks import YOLOv3Neck
from gluon_yolo.spec import YOLOV3_ANCHORS, Anchors, DetectionSpec

DATASET_CLASSES = {"voc": VOC_CLASSES, "coco": COCO_CLASSES, "custom": None}
Builder = Callable[[str, DetectionSpec, NormFactory], Detector]
_BUILDERS: dict[str, Builder] = {}


def register(*architectures: str) -> Callable[[Builder], Builder]:
    """Enter a builder under one or several architecture names; a name that is taken raises."""

    def enter(builder: Builder) -> Builder:
        for architecture in architectures:
            if architecture in _BUILDERS:
                raise ValueError(f"zoo: {architecture} is registered twice")
            _BUILDERS[architecture] = builder
        return builder

    return enter


def _yolo3(
    name: str, spec: DetectionSpec, norm: NormFactory, backbone, neck_channels: Sequence[int]
) -> Detector:
    neck = YOLOv3Neck(backbone.channels, neck_channels, norm)
    heads = YOLOv3Heads(neck.channels, spec.anchors_per_level, spec.num_classes)
    return Detector(name, spec, backbone, neck, heads)


def _multiplier(name: str) -> float:
    return float(name.split("_")[-2].replace("mobilenet", ""))


@register("yolo3_mobilenet1.0", "yolo3_mobilenet0.75", "yolo3_mobilenet0.5", "yolo3_mobilenet0.25")
def _yolo3_mobilenet(name: str, spec: DetectionSpec, norm: NormFactory) -> Detector:
    multiplier = _multiplier(name)
    return _yolo3(name, spec, norm, mobilenet(multiplier, norm), _neck_channels(multiplier))


@register(
    "yolo3_mobilenetv2_1.0", "yolo3_mobilenetv2_0.75", "yolo3_mobilenetv2_0.5", "yolo3_mobilenetv2_0.25"
)
def _yolo3_mobilenetv2(name: str, spec: DetectionSpec, norm: NormFactory) -> Detector:
    multiplier = _multiplier(name)
    return _yolo3(name, spec, norm, mobilenetv2(multiplier, norm), _neck_channels(multiplier))


@register("yolo3_darknet53")
def _yolo3_darknet53(name: str, spec: DetectionSpec, norm: NormFactory) -> Detector:
    return _yolo3(name, spec, norm, darknet53(norm), (128, 256, 512))


def _neck_channels(multiplier: float) -> tuple[int, int, int]:
    """Return the neck's route widths, ascending stride: GluonCV's for 1.0 and for 0.25, no others between."""
    return (128, 256, 512) if multiplier > 0.5 else (128, 128, 256)


def names() -> list[str]:
    """Return every name that :func:`build` takes, in full form."""
    return [f"{architecture}_{dataset}" for architecture in _BUILDERS for dataset in DATASET_CLASSES]


def canonical(name: str, dataset: str = "custom") -> str:
    """Turn any accepted spelling into the zoo's full name.

    ``mobilenet1_0``, ``mobilenet1.0``, ``yolo3_mobilenet1.0`` and ``yolo3_mobilenet1.0_custom`` are one
    network.

    Args:
        name: as the user wrote it.
        dataset: completes a name that ends without ``voc``, ``coco`` or ``custom``.

    Raises:
        UserError: for an unknown name, with the nearest known ones.
    """
    spellings = {_squeezed(full): full for full in names()}
    given = _squeezed(name)
    for candidate in (given, f"yolo3{given}", f"{given}{dataset}", f"yolo3{given}{dataset}"):
        if candidate in spellings:
            return spellings[candidate]
    near = difflib.get_close_matches(name.lower(), [*_BUILDERS, *names()], n=3)
    guess = f"did you mean {', '.join(near)}? " if near else ""
    raise UserError(
        f"unknown network {name!r}; {guess}"
        f"Architectures: {', '.join(_BUILDERS)}; endings: {', '.join(DATASET_CLASSES)}"
    )


def _squeezed(name: str) -> str:
    return re.sub(r"[._\s-]", "", name.lower())


def build(
    name: str,
    class_names: Sequence[str] | None = None,
    anchors: Anchors | None = None,
    norm: str = "bn",
    num_devices: int = 1,
) -> Detector:
    """Build a detector by name, its weights not yet set.

    Args:
        name: any spelling that :func:`canonical` takes.
        class_names: of the data; None takes those that the name's ending stands for.
        anchors: per level (width, height) in input pixels; None takes YOLOv3's.
        norm: ``bn``, ``sync`` or ``frozen`` (:func:`gluon_yolo.nn.layers.make_norm`).
        num_devices: devices that share ``sync`` statistics.

    Raises:
        UserError: for an unknown name, or a custom network without class names.
    """
    full = canonical(name)
    architecture, dataset = full.rsplit("_", 1)
    classes = tuple(class_names) if class_names is not None else DATASET_CLASSES[dataset]
    if classes is None:
        raise UserError(f"{full}: a custom network needs class names")
    spec = DetectionSpec(classes, YOLOV3_ANCHORS if anchors is None else anchors)
    return _BUILDERS[architecture](full, spec, make_norm(norm, num_devices))
