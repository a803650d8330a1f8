"""The model zoo: a registry from network names, the same as GluonCV's, to builders."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Callable

from gluon_yolo.class_names import COCO_CLASSES, VOC_CLASSES
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.models.backbones.base import Backbone
from gluon_yolo.models.backbones.darknet53 import darknet53
from gluon_yolo.models.backbones.mobilenet import mobilenet
from gluon_yolo.models.backbones.mobilenetv2 import mobilenetv2
from gluon_yolo.models.backbones.shufflenetv2 import shufflenetv2
from gluon_yolo.models.detector import MEAN, SPP, STD, DetectionNetwork, Detector, family_of
from gluon_yolo.models.heads import DecoupledHeads, YOLOv3Heads
from gluon_yolo.models.layers import Normalize, NormFactory, make_norm
from gluon_yolo.models.necks import LightFPN, YOLOv3Neck
from gluon_yolo.spec import Anchors, BackboneForm, DetectionSpec
from gluon_yolo.text import did_you_mean

DATASET_CLASSES = {"voc": VOC_CLASSES, "coco": COCO_CLASSES, "custom": None}
Builder = Callable[[str, DetectionSpec, NormFactory], DetectionNetwork]


@dataclasses.dataclass(frozen=True)
class Entry:
    """The registered facts of an architecture.

    Args:
        builder: returns its network.
        spec: its default spec; the class names are placeholders.
        size_hw: default height and width of its input in pixels.
        flags: of ``train``: defaults that are this architecture's own.
        takes_spp: whether it exists with an SPP in its neck too: ``ARCHITECTURE_spp``.
    """

    builder: Builder
    spec: DetectionSpec
    size_hw: tuple[int, int]
    flags: Mapping[str, Any]
    takes_spp: bool


_ENTRIES: dict[str, Entry] = {}


def register(
    *architectures: str,
    size_hw: tuple[int, int] = (416, 416),
    flags: Mapping[str, Any] = MappingProxyType({}),
    takes_spp: bool = False,
    **spec: Any,
) -> Callable[[Builder], Builder]:
    """Register a builder under one or more architecture names.

    Args:
        architectures: the names.
        size_hw: default height and width of the input in pixels.
        flags: of ``train``: defaults that are this architecture's own.
        takes_spp: whether the builder makes ``ARCHITECTURE_spp`` too.
        **spec: fields of :class:`DetectionSpec` that differ from those of YOLOv3.

    Raises:
        ValueError: a name is already registered.
    """

    def enter(builder: Builder) -> Builder:
        for architecture in architectures:
            if architecture in _ENTRIES:
                raise ValueError(f"zoo: {architecture} is registered twice")
            own_spec = DetectionSpec(("object",), **spec)
            _ENTRIES[architecture] = Entry(builder, own_spec, size_hw, flags, takes_spp)
        return builder

    return enter


def entry(name: str) -> Entry:
    """Return the entry of a network by its full name."""
    return _ENTRIES[family_of(name)]


def with_spp(name: str) -> str:
    """Return the full name of a network with an SPP in its neck.

    Raises:
        SettingError: there is none.
    """
    architecture, dataset = name.rsplit("_", 1)
    if not entry(name).takes_spp:
        raise SettingError(f"{{spp}}: is for YOLOv3's neck; {name} has another one: leave it out")
    return f"{architecture.removesuffix(SPP)}{SPP}_{dataset}"


def _yolo3(
    name: str, spec: DetectionSpec, norm: NormFactory, backbone: Backbone, neck_channels: Sequence[int]
) -> Detector:
    neck = YOLOv3Neck(backbone.channels, neck_channels, norm, has_spp=SPP in name)
    heads = YOLOv3Heads(neck.channels, spec.anchors_per_level, spec.num_classes)
    form = spec.backbone
    return Detector(name, spec, backbone, neck, heads, Normalize(form.mean or MEAN, form.std or STD))


def _multiplier(name: str) -> float:
    return float(re.findall(r"\d\.\d+", name)[0])


@register(
    "yolo3_mobilenet1.0",
    "yolo3_mobilenet0.75",
    "yolo3_mobilenet0.5",
    "yolo3_mobilenet0.25",
    takes_spp=True,
)
def _yolo3_mobilenet(name: str, spec: DetectionSpec, norm: NormFactory) -> Detector:
    multiplier = _multiplier(name)
    backbone = mobilenet(multiplier, norm, spec.backbone.activation or "relu")
    return _yolo3(name, spec, norm, backbone, _neck_channels(multiplier))


@register(
    "yolo3_mobilenetv2_1.0",
    "yolo3_mobilenetv2_0.75",
    "yolo3_mobilenetv2_0.5",
    "yolo3_mobilenetv2_0.25",
    takes_spp=True,
)
def _yolo3_mobilenetv2(name: str, spec: DetectionSpec, norm: NormFactory) -> Detector:
    multiplier = _multiplier(name)
    return _yolo3(
        name, spec, norm, mobilenetv2(multiplier, norm, spec.backbone.divisor), _neck_channels(multiplier)
    )


@register("yolo3_darknet53", takes_spp=True)
def _yolo3_darknet53(name: str, spec: DetectionSpec, norm: NormFactory) -> Detector:
    backbone = darknet53(norm, spec.backbone.activation or "leaky")
    return _yolo3(name, spec, norm, backbone, (128, 256, 512))


# Anchors, input size and training settings of the published COCO model
# (https://github.com/dog-qiuqiu/Yolo-FastestV2).
@register(
    "yolo_fastestv2",
    size_hw=(352, 352),
    flags={
        **{"data_shape": "352", "no_random_shape": True, "epochs": 300, "lr_decay_epoch": "150,250"},
        **{"momentum": 0.949, "warmup_epochs": 5, "warmup_power": 4.0},
    },
    anchors=(
        ((12.64, 19.39), (37.88, 51.48), (55.71, 138.31)),
        ((126.91, 78.23), (131.57, 214.55), (279.92, 258.87)),
    ),
    strides=(16, 32),
    box_coding="squared_sigmoid",
    score_rule="objectness_times_softmax",
    assigner="size_ratio",
    xy_scales=(2, 2),
)
def _yolo_fastestv2(name: str, spec: DetectionSpec, norm: NormFactory) -> Detector:
    backbone = shufflenetv2(norm)
    neck = LightFPN(backbone.channels, 72, norm)
    heads = DecoupledHeads(neck.channels, spec.anchors_per_level, spec.num_classes)
    return Detector(name, spec, backbone, neck, heads, Normalize((0, 0, 0), (1, 1, 1)))


def _neck_channels(multiplier: float) -> tuple[int, int, int]:
    """Return the neck's route widths, by ascending stride. GluonCV uses the same two sets."""
    return (128, 256, 512) if multiplier > 0.5 else (128, 128, 256)


class UnknownNetwork(UserError):
    """There is no network of a name."""


def names() -> list[str]:
    """Return the full name of every network that :func:`build` accepts, those with an SPP left out."""
    return [f"{architecture}_{dataset}" for architecture in _ENTRIES for dataset in DATASET_CLASSES]


def canonical(name: str, dataset: str = "custom") -> str:
    """Turn any accepted spelling of a network's name into its full name.

    ``mobilenet1_0``, ``mobilenet1.0``, ``yolo3_mobilenet1.0`` and ``yolo3_mobilenet1.0_custom`` are the same
    network.

    Args:
        name: as the user wrote it.
        dataset: ending for a name that has none of ``voc``, ``coco`` and ``custom``.

    Raises:
        UnknownNetwork: the name is unknown; the message has the most similar known ones.
    """
    spelled = (*names(), *(with_spp(full) for full in names() if entry(full).takes_spp))
    spellings = {_squeezed(full): full for full in spelled}
    given = _squeezed(name)
    for candidate in (f"{start}{given}{end}" for start in ("", "yolo3", "yolo") for end in ("", dataset)):
        if candidate in spellings:
            return spellings[candidate]
    guess = did_you_mean(name, [*_ENTRIES, *names()], most=3)
    raise UnknownNetwork(
        f"unknown network {name!r}; {guess}"
        f"Architectures: {', '.join(_ENTRIES)}; endings: {', '.join(DATASET_CLASSES)}"
    )


def _squeezed(name: str) -> str:
    return re.sub(r"[._\s-]", "", name.lower())


def build(
    name: str,
    class_names: Sequence[str] | None = None,
    anchors: Anchors | None = None,
    norm: str = "bn",
    num_devices: int = 1,
    form: BackboneForm | None = None,
    xy_scales: Sequence[float] | None = None,
) -> DetectionNetwork:
    """Build a detector by name; its weights are not initialized.

    Args:
        name: any spelling that :func:`canonical` accepts.
        class_names: of the data; None takes those of the data set in the name.
        anchors: per level (width, height) in input pixels; None takes the architecture's own.
        norm: ``bn``, ``sync`` or ``frozen`` (:func:`gluon_yolo.models.layers.make_norm`).
        num_devices: devices that share ``sync`` statistics.
        form: of the backbone; None is the architecture's own.
        xy_scales: per level the range of a centre in cells; None takes the architecture's own.

    Raises:
        UserError: the name is unknown, a custom network has no class names, or the anchors do not suit it.
    """
    full = canonical(name)
    dataset = full.rsplit("_", 1)[1]
    classes = tuple(class_names) if class_names is not None else DATASET_CLASSES[dataset]
    if classes is None:
        raise UserError(f"{full}: a custom network needs class names")
    known = entry(full)
    wanted = known.spec.anchors if anchors is None else anchors
    scales = known.spec.xy_scales if xy_scales is None else tuple(xy_scales)
    try:
        form = form or BackboneForm()
        spec = dataclasses.replace(
            known.spec, class_names=classes, anchors=wanted, backbone=form, xy_scales=scales
        )
    except ValueError as error:
        raise UserError(f"{full}: {error}") from error
    return known.builder(full, spec, make_norm(norm, num_devices))
