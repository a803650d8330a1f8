"""What a cfg says of training images: the sizes they come in, and how they are changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gluon_yolo.models.darknet.net_settings import NetSettings
from gluon_yolo.models.darknet.plan import Plan
from gluon_yolo.text import exact

JITTER = 0.2  # darknet's
RESIZE_STEP = 32  # darknet's, of random input sizes
LARGEST_FACTOR = 10.0  # of random input sizes; darknet's cfgs have 1.4 and 2
LARGEST_SCALE = 4.0  # of an object, however large the jitter is
HALF_TURN = 180.0  # degrees either way: all hues
_DIGITS = 6  # of what is worked out from a key


def size_flags(plan: Plan, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sizes to train at: of ``random=1``, up to 1.4 times the input's either way, as darknet's.

    darknet draws multiples of ``resize_step``; those that do not suit the network are left out here.

    Raises:
        UserError: ``random`` or ``resize_step`` makes no sense.
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
    """Return the changes of images as ``--augment`` takes them, empty where the cfg says nothing of them.

    darknet moves each side of an image by up to ``jitter`` of it, which is a change of scale and of place
    (and of shape, which has no equivalent). Saturation and exposure are factors up to the key, either way;
    the hue moves by a part of the circle.

    Raises:
        UserError: ``jitter`` makes no sense.
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
    """Return the largest factor that a key means: darknet draws from the key or its inverse; 0 is none."""
    return max(value, 1 / value) if value else 1.0


def _either_way(factor: float) -> str:
    return f"{1 / factor:.3g}:{exact(factor)}"


def _worked_out(number: float) -> str:
    return exact(float(f"{number:.{_DIGITS}g}"))
