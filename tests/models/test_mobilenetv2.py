"""MobileNetV2's widths, as GluonCV and as TensorFlow scale them."""

from __future__ import annotations

import pytest

from gluon_yolo.models.backbones.mobilenetv2 import Bottleneck, mobilenetv2
from gluon_yolo.models.layers import make_norm


# What int() and TensorFlow's _make_divisible give for 32 of the first convolution and for the bottlenecks'
# 16, 24, 32, 64, 96, 160, 320.
@pytest.mark.parametrize(
    ("multiplier", "divisor", "widths"),
    [
        (1.0, 8, [32, 16, 24, 32, 64, 96, 160, 320]),
        (0.75, 0, [24, 12, 18, 24, 48, 72, 120, 240]),
        (0.75, 8, [24, 16, 24, 24, 48, 72, 120, 240]),  # 18: 16 is less than 0.9 of it
        (0.5, 0, [16, 8, 12, 16, 32, 48, 80, 160]),
        (0.5, 8, [16, 8, 16, 16, 32, 48, 80, 160]),
        (0.25, 8, [8, 8, 8, 8, 16, 24, 40, 80]),
    ],
)
def test_widths(multiplier, divisor, widths):
    backbone = mobilenetv2(multiplier, make_norm(), divisor)
    (stem, *blocks), *stages = backbone.stages
    bottlenecks = [block for stage in (blocks, *stages) for block in stage if isinstance(block, Bottleneck)]
    repeats = [1, 2, 3, 4, 3, 3, 1]
    expected = [width for width, count in zip(widths[1:], repeats) for _ in range(count)]
    assert stem[0]._channels == widths[0]
    assert [block.body[-1][0]._channels for block in bottlenecks] == expected
    assert backbone.channels[-1] == 1280
