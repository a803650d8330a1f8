"""The channels, strides and layers of backbones. tests/weights compares their values with GluonCV's."""

from __future__ import annotations

import pytest

from gluon_yolo.models.backbones.darknet53 import darknet53
from gluon_yolo.models.backbones.mobilenet import mobilenet
from gluon_yolo.models.backbones.mobilenetv2 import mobilenetv2
from gluon_yolo.models.layers import make_norm
from gluon_yolo.mxnet_compat import mx

# builder, multiplier, channels at strides 8, 16 and 32, convolutions
BACKBONES = [
    (mobilenet, 1.0, (256, 512, 1024), 27),
    (mobilenet, 0.75, (192, 384, 768), 27),
    (mobilenet, 0.5, (128, 256, 512), 27),
    (mobilenet, 0.25, (64, 128, 256), 27),
    (mobilenetv2, 1.0, (32, 96, 1280), 52),  # the last convolution keeps its width
    (mobilenetv2, 0.75, (24, 72, 1280), 52),
    (mobilenetv2, 0.5, (16, 48, 1280), 52),
    (mobilenetv2, 0.25, (8, 24, 1280), 52),
    (darknet53, None, (256, 512, 1024), 52),
]


@pytest.mark.parametrize(("builder", "multiplier", "channels", "convolutions"), BACKBONES)
def test_published_channels_and_strides_are_true(builder, multiplier, channels, convolutions):
    norm = make_norm("bn")
    backbone = builder(norm) if multiplier is None else builder(multiplier, norm)
    assert (backbone.channels, backbone.strides) == (channels, (8, 16, 32))
    graph = mx.sym.Group(list(backbone(mx.sym.var("data"))))
    shapes = graph.infer_shape(data=(2, 3, 96, 160))[1]
    assert shapes == [(2, c, 96 // s, 160 // s) for c, s in zip(backbone.channels, backbone.strides)]
    assert sum(p.name.endswith("weight") for p in backbone.collect_params().values()) == convolutions


def test_every_channel_is_known_before_the_first_image():
    """So weights can be loaded and counted without a forward pass."""
    for builder, multiplier, *_ in BACKBONES:
        backbone = builder(make_norm()) if multiplier is None else builder(multiplier, make_norm())
        assert all(0 not in p.shape for p in backbone.collect_params().values())
