"""LightFPN: inputs and outputs of its levels, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.models.layers import make_norm
from gluon_yolo.models.necks import LightFPN
from gluon_yolo.mxnet_compat import mx, nd


def random(*shape):
    return nd.array(np.random.default_rng(sum(shape)).normal(size=shape))


def test_each_level_sees_its_own_map_and_those_below_it():
    neck = LightFPN((3, 5), 8, make_norm())
    neck.initialize()
    fine, coarse = random(2, 3, 4, 6), random(2, 5, 2, 3)
    maps = neck(fine, coarse)
    enlarged = nd.repeat(nd.repeat(coarse, 2, axis=2), 2, axis=3)
    expected = [
        *neck.levels[1](nd.concat(enlarged, fine, dim=1)),  # the deeper map's channels come first
        *neck.levels[0](coarse),
    ]
    assert [x.shape for x in maps] == [(2, 8, 4, 6)] * 2 + [(2, 8, 2, 3)] * 2
    for got, want in zip(maps, expected):
        np.testing.assert_allclose(got.asnumpy(), want.asnumpy(), rtol=1e-5)


def test_classes_and_boxes_part_behind_the_narrow_map():
    level = LightFPN((5,), 8, make_norm()).levels[0]
    level.initialize()
    x = random(1, 5, 6, 6)
    classes, boxes = level(x)
    narrow = level.narrow(x)
    np.testing.assert_allclose(classes.asnumpy(), level.classes(narrow).asnumpy(), rtol=1e-5)
    np.testing.assert_allclose(boxes.asnumpy(), level.boxes(narrow).asnumpy(), rtol=1e-5)
    assert np.abs(classes.asnumpy() - boxes.asnumpy()).max() > 1e-6
    assert boxes.asnumpy().min() < 0  # a tower ends without ReLU


@pytest.mark.parametrize("widths", [(7,), (3, 5), (2, 3, 5)])
def test_any_number_of_levels(widths):
    neck = LightFPN(widths, 4, make_norm())
    data = [mx.sym.var(f"x{level}") for level in range(len(widths))]
    sizes = [8 >> level for level in range(len(widths))]
    given = {f"x{i}": (1, width, size, size) for i, (width, size) in enumerate(zip(widths, sizes))}
    shapes = mx.sym.Group(list(neck(*data))).infer_shape(**given)[1]
    assert neck.channels == 4
    assert shapes == [(1, 4, size, size) for size in sizes for _ in range(2)]
