"""ShuffleNetV2: the order of its channels, and its maps as published."""

from __future__ import annotations

import json

import numpy as np

from gluon_yolo.models.backbones.shufflenetv2 import DownsamplingUnit, ShuffleUnit, shufflenetv2
from gluon_yolo.models.layers import make_norm
from gluon_yolo.mxnet_compat import mx, nd


def test_published_channels_and_strides_are_true():
    backbone = shufflenetv2(make_norm())
    assert (backbone.channels, backbone.strides) == ((96, 192), (16, 32))
    shapes = mx.sym.Group(list(backbone(mx.sym.var("data")))).infer_shape(data=(2, 3, 96, 160))[1]
    assert shapes == [(2, 96, 6, 10), (2, 192, 3, 5)]
    parameters = backbone.collect_params().values()
    assert all(0 not in p.shape for p in parameters)
    # 1 in the stem; 3 units of 2 + 3; 3 + 7 + 3 units of 3
    assert sum(p.name.endswith("weight") for p in parameters) == 1 + 3 * 5 + 13 * 3


def test_even_channels_pass_and_odd_ones_are_worked_on():
    unit = ShuffleUnit(6, make_norm())
    unit.initialize()
    x = np.random.default_rng(0).normal(size=(2, 6, 3, 5)).astype(np.float32)
    for hybrid in (False, True):
        unit.hybridize(hybrid)
        out = unit(nd.array(x)).asnumpy()
        np.testing.assert_array_equal(out[:, :3], x[:, [0, 2, 4]])
        np.testing.assert_allclose(out[:, 3:], unit.main(nd.array(x[:, [1, 3, 5]])).asnumpy(), rtol=1e-5)


def test_downsampling_keeps_the_first_branchs_channels_first():
    unit = DownsamplingUnit(4, 10, make_norm())
    unit.initialize()
    x = nd.random.normal(shape=(2, 4, 7, 6))
    out = unit(x).asnumpy()
    assert out.shape == (2, 10, 4, 3)
    np.testing.assert_allclose(out[:, :4], unit.projection(x).asnumpy(), rtol=1e-5)
    np.testing.assert_allclose(out[:, 4:], unit.main(x).asnumpy(), rtol=1e-5)


def test_one_graph_for_every_size_of_image():
    """The graph of the shuffle has no fixed height, width or batch."""
    backbone = shufflenetv2(make_norm())
    backbone.initialize()
    backbone.hybridize()
    for batch, height, width in ((1, 64, 96), (3, 32, 64)):
        shapes = [x.shape for x in backbone(nd.zeros((batch, 3, height, width)))]
        assert shapes == [(batch, c, height // s, width // s) for c, s in ((96, 16), (192, 32))]
    reshapes = [node for node in _nodes(backbone) if node["op"] == "Reshape"]
    splits = {f"(-1, {half}, 2, 0, 0)" for half in (24, 48, 96)}
    joins = {f"(-1, {2 * half}, 0, 0)" for half in (24, 48, 96)}
    assert {node["attrs"]["shape"] for node in reshapes} == splits | joins


def _nodes(block) -> list[dict]:
    return json.loads(mx.sym.Group(list(block(mx.sym.var("data")))).tojson())["nodes"]
