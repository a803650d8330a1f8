"""Which input sizes suit a network, computed from its layers at a trial size with many divisors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from gluon_yolo.models.darknet.layers import IMAGE, Layer, Upsample, Yolo
from gluon_yolo.models.darknet.section import Section

TRIAL = 2**12 * 3**2 * 5  # pixels per side; a plan has no maps, so its size costs nothing


def divisor(layers: Sequence[Layer]) -> int:
    """Return what the sides of an input must be multiples of, so that all maps fit each other.

    It is the least common multiple of the strides of upsampled maps, of joined maps and of the heads' maps.

    Args:
        layers: of a plan, or the first of them, for an input of ``TRIAL`` pixels per side.
    """
    result = 1
    for layer in layers:
        if isinstance(layer, (Upsample, Yolo)) or len(layer.inputs) > 1:
            for source in layer.inputs:
                if source != IMAGE:
                    shape = layers[source].output
                    strides = [Fraction(TRIAL, side) for side in (shape.height, shape.width) if side > 1]
                    result = math.lcm(result, *(int(x) for x in strides if x.denominator == 1))
    return result


def check_sides(net: Section, multiple: int) -> None:
    """Check that the sides in ``[net]`` are multiples of a network's divisor.

    Raises:
        UserError: a side is no multiple; the message has the nearest ones.
    """
    for key in ("width", "height"):
        side = net.get_int(key, least=1)
        if side % multiple:
            below = side // multiple * multiple
            near = [str(size) for size in (below, below + multiple) if size]
            raise net.error(
                f"{key}={side}: expected a multiple of {multiple}, such as {' or '.join(near)}", key
            )
