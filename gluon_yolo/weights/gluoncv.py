"""GluonCV's parameter names mapped to this package's: YOLOv3 detectors and ImageNet backbones.

GluonCV numbers convolutions, normalisations and activations in one sequence through a MobileNet. This package
numbers cells, and layers within a cell: layer 7 there is layer 1 of cell 2 here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Callable

from gluon_yolo.models.detector import SPP, DetectionNetwork

Rules = list[tuple[str, Callable[[re.Match[str]], str]]]  # pattern of a name's beginning, replacement

FAMILIES = "yolo3_"  # prefix of the families whose weights GluonCV publishes
# Index in GluonCV's `features` at which each stage here begins: MobileNet (layers), MobileNetV2 (layers),
# Darknet-53.
MOBILENET_STAGES = (0, 33, 69)
MOBILENETV2_STAGES = (0, 9, 16)
DARKNET53_STAGES = (0, 15, 24)
_V2_LAST = 20
_V2_STEM = 3


def is_gluoncv(names: Iterable[str]) -> bool:
    """Return whether these are the parameter names of a GluonCV detector or backbone."""
    return any(name.startswith(("yolo_outputs.", "features.")) for name in names)


def translate(names: Iterable[str], levels: int = 3) -> dict[str, str]:
    """Map GluonCV's names to this package's; classifier and grid constants are left out.

    Args:
        names: all names of a parameter file.
        levels: of the detector. GluonCV orders them by descending stride, this package by ascending stride.
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
    block -= _V2_STEM - 1 if stage == 0 else 0  # the three layers of the stem are one cell here
    return f"backbone.stages.{stage}.{block}.body.{part // 3}.{part % 3}"


def _v2_plain(layer: int) -> str:
    if layer < _V2_STEM:
        return f"backbone.stages.0.0.{layer}"
    return f"backbone.stages.2.{_V2_LAST - MOBILENETV2_STAGES[2]}.{layer - _V2_LAST}"


def published_name(net: DetectionNetwork, backbone_only: bool = False) -> str | None:
    """Return GluonCV's name of the weights for a network or its backbone; None where it has none."""
    # GluonCV has no network with an SPP.
    if not net.family.startswith(FAMILIES) or (SPP in net.zoo_name and not backbone_only):
        return None
    return net.family[len(FAMILIES) :] if backbone_only else net.zoo_name
