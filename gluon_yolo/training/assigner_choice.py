"""Assigner choice: the spec of a training that matches objects and anchors in another way."""

from __future__ import annotations

import dataclasses

from gluon_yolo.assigners import ASSIGNERS
from gluon_yolo.errors import SettingError
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.text import exact

YOLO3_ASSIGNERS = ("best_shape", "neighbours", "overlap", "dynamic")
"""Assigners for YOLOv3's heads."""

BETTER = "overlap"  # of them, what small sets gain most from (docs/few_images.md)


def assigned(spec: DetectionSpec, assigner: str, network: str) -> DetectionSpec:
    """Return a network's spec with another assigner, and with the range of centres that this one needs.

    Args:
        spec: of the network.
        assigner: one of ``YOLO3_ASSIGNERS``; ``better``, which is ``BETTER`` for YOLOv3's heads, and
            changes nothing for others; or ``auto``, which changes nothing.
        network: its name, for messages.

    Raises:
        SettingError: the network has no YOLOv3 heads.
    """
    has_yolo3_heads = spec.score_rule == "objectness_times_class"
    if assigner == "better":
        assigner = BETTER if has_yolo3_heads else "auto"
    if assigner == "auto":
        return spec
    own = spec.assigner
    if not has_yolo3_heads:
        raise SettingError(
            f"{{assigner}} {assigner}: is for YOLOv3's heads; {network} has its own, {own}: leave it out"
        )
    scales = tuple(max(scale, ASSIGNERS[assigner].xy_scale) for scale in spec.xy_scales)
    return dataclasses.replace(spec, assigner=assigner, xy_scales=scales)


def assigner_line(spec: DetectionSpec) -> str:
    """Return a log line on a spec's assigner."""
    scales = ", ".join(map(exact, spec.xy_scales))
    return f"assigner: {spec.assigner}; centres have a range of {scales} cells"
