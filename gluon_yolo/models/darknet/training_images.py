"""The training images of a cfg: their sizes and augmentation, as flags of ``train``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gluon_yolo.models.darknet.net_settings import NetSettings
from gluon_yolo.models.darknet.plan import Plan
from gluon_yolo.text import exact

JITTER = 0.2  # darknet's default
RESIZE_STEP = 32  # darknet's default, for random input sizes
LARGEST_FACTOR = 10.0  # of random input sizes; darknet's cfgs have 1.4 and 2
LARGEST_SCALE = 4.0  # largest scale of an object, for any jitter
HALF_TURN = 180.0  # degrees in both directions: all hues
_DIGITS = 6  # significant digits of a computed value


def size_flags(plan: Plan, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags of the input sizes: ``random=1`` varies them by a factor of up to 1.4, as in darknet.

    darknet draws multiples of ``resize_step``; sizes that do not suit the network are left out here.

    Raises:
        UserError: ``random`` or ``resize_step`` is invalid.
    """
    limits = {"least": 0, "below": LARGEST_FACTOR}
    factor = max(head.section.get_float("random", 0.0, **limits) for head in plan.heads)
    if not factor:
        return {"no_random_shape": True}
    factor = 1.4 if factor == 1 else factor
    words = str(given.get("data_shape", "")).lower().split("x")
    asked = [int(word) for word in words if word.isdecimal()]
    own = (plan.image.height, plan.image.width)
    height, width = (asked[0], asked[-1]) if len(asked) == len(words) else own
    step = plan.cfg.sections[0].get_int("resize_step", RESIZE_STEP, least=1)
    step = math.lcm(step, plan.divisor)
    sizes = []
    for tenth in range(-100, 101):
        scale = factor ** (tenth / 100)
        drawn = [round(scale * side / step + 1) * step for side in (height, width)]
        if scale < 1 and (drawn[0] > height or drawn[1] > width):
            drawn = [height, width]
        sizes.append(str(drawn[0]) if drawn[0] == drawn[1] else f"{drawn[0]}x{drawn[1]}")
    return {"random_shapes": ",".join(dict.fromkeys(sizes))}


def augment_flag(plan: Plan, settings: NetSettings) -> str:
    """Return the augmentation as a value of ``--augment``; empty where the cfg has no such keys.

    darknet moves each side of an image by up to ``jitter`` of its length, which changes scale, position and
    aspect ratio; the last has no equivalent. Saturation and exposure are factors up to the key's value or its
    inverse. The hue shifts by a fraction of the full circle.

    Raises:
        UserError: ``jitter`` is invalid.
    """
    net = plan.cfg.sections[0]
    said = [head.section for head in plan.heads if "jitter" in head.section]
    if not said and (settings.saturation, settings.exposure, settings.hue, settings.angle) == (None,) * 4:
        return ""
    steps = ["mosaic"] if net.get_int("mosaic", 0) else []
    saturation, exposure = (_factor(value) for value in (settings.saturation, settings.exposure))
    hue_degrees = min(HALF_TURN, 360 * abs(settings.hue or 0.0))
    if saturation > 1 or exposure > 1 or hue_degrees:
        ranges = f"contrast={_either_way(exposure)},saturation={_either_way(saturation)}"
        steps.append(f"color(brightness=0,{ranges},hue_degrees={_worked_out(hue_degrees)})")
    jitter = min(0.5, said[0].get_float("jitter", least=0) if said else JITTER)
    largest = 1 / max(1 / LARGEST_SCALE, 1 - 2 * jitter)
    turn = f",degrees={exact(abs(settings.angle))}" if settings.angle else ""
    if jitter or turn:
        scale = f"{1 / (1 + 2 * jitter):.3g}:{largest:.3g}"
        steps.append(f"affine(scale={scale},translate={exact(jitter)}{turn})")
    if net.get_int("flip", 1):
        steps.append("flip")
    return ",".join([*steps, "letterbox" if plan.letterbox else "resize"])


def _factor(value: float | None) -> float:
    """Return the largest factor of a key: darknet draws from the key to its inverse; 0 is none."""
    return max(value, 1 / value) if value else 1.0


def _either_way(factor: float) -> str:
    return f"{1 / factor:.3g}:{exact(factor)}"


def _worked_out(number: float) -> str:
    return exact(float(f"{number:.{_DIGITS}g}"))
