"""GluonCV's parameter names, said in ours: its YOLOv3 detectors and its ImageNet backbones.

GluonCV numbers convolution, normalisation and activation one after the other through a whole MobileNet; we
number cells, and the parts within a cell: its layer 7 is part 1 of our cell 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Callable

from gluon_yolo.models.detector import DetectionNetwork

Rules = list[tuple[str, Callable[[re.Match], str]]]  # how a name begins, and what takes that place

FAMILIES = "yolo3_"  # how the names of those that GluonCV has begin
# First of GluonCV's `features` in each of our stages, for its MobileNet (layers), MobileNetV2 (layers),
# DarkNet-53.
MOBILENET_STAGES = (0, 33, 69)
MOBILENETV2_STAGES = (0, 9, 16)
DARKNET53_STAGES = (0, 15, 24)
_V2_LAST = 20
_V2_STEM = 3


def is_gluoncv(names: Iterable[str]) -> bool:
    """Say whether these are the parameter names of a GluonCV detector or backbone."""
    return any(name.startswith(("yolo_outputs.", "features.")) for name in names)


def translate(names: Iterable[str], levels: int = 3) -> dict[str, str]:
    """Map GluonCV's names to ours; classifier and grid constants, which have no place here, are absent.

    Args:
        names: all names of one parameter file.
        levels: of the detector; GluonCV counts them from the coarsest, we from the finest.
    """
    names = list(names)
    rules = (
        _backbone_rules(names) if any(n.startswith("features.") for n in names) else _detector_rules(levels)
    )
    translated = {}
    for name in names:
        for pattern, rule in rules:
            match = re.match(pattern, name)
            if match:
                translated[name] = rule(match) + name[match.end() :]
                break
    return translated


def _detector_rules(levels: int) -> Rules:
    return [
        (r"stages\.(\d+)\.(\d+)(?=\.[a-z]+(_[a-z]+)?$)", lambda m: _cell(int(m[1]), int(m[2]))),
        (r"stages\.", lambda m: "backbone.stages."),
        (r"yolo_blocks\.", lambda m: "neck.blocks."),
        (r"transitions\.", lambda m: "neck.transitions."),
        (r"yolo_outputs\.(\d+)\.prediction", lambda m: f"heads.levels.{levels - 1 - int(m[1])}"),
    ]


def _backbone_rules(names: list[str]) -> Rules:
    if any(".out." in name for name in names):
        return [
            (r"features\.(\d+)\.out\.(\d+)", lambda m: _v2_bottleneck(int(m[1]), int(m[2]))),
            (r"features\.(\d+)(?=\.[a-z]+(_[a-z]+)?$)", lambda m: _v2_plain(int(m[1]))),
        ]
    if any(".body." in name for name in names):
        return [
            (
                r"features\.(\d+)",
                lambda m: "backbone.stages.{}.{}".format(*_stage(int(m[1]), DARKNET53_STAGES)),
            )
        ]
    return [(r"features\.(\d+)", lambda m: _cell(*_stage(int(m[1]), MOBILENET_STAGES)))]


def _stage(layer: int, starts: tuple[int, ...]) -> tuple[int, int]:
    stage = max(i for i, start in enumerate(starts) if layer >= start)
    return stage, layer - starts[stage]


def _cell(stage: int, layer: int) -> str:
    return f"backbone.stages.{stage}.{layer // 3}.{layer % 3}"


def _v2_bottleneck(layer: int, part: int) -> str:
    stage, block = _stage(layer, MOBILENETV2_STAGES)
    block -= _V2_STEM - 1 if stage == 0 else 0  # the stem's three layers are one cell of ours
    return f"backbone.stages.{stage}.{block}.body.{part // 3}.{part % 3}"


def _v2_plain(layer: int) -> str:
    if layer < _V2_STEM:
        return f"backbone.stages.0.0.{layer}"
    return f"backbone.stages.2.{_V2_LAST - MOBILENETV2_STAGES[2]}.{layer - _V2_LAST}"


def published_name(net: DetectionNetwork, backbone_only: bool = False) -> str | None:
    """Return what GluonCV calls its weights of a network, or of its backbone; None where it has none."""
    if not net.family.startswith(FAMILIES):
        return None
    return net.family[len(FAMILIES) :] if backbone_only else net.zoo_name
