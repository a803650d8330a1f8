"""Layers: normalisations with the same parameters, convolution cells, normalisation of pixels."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo import parameter_io
from gluon_yolo.models.detector import MEAN, STD
from gluon_yolo.models.layers import ACTIVATIONS, NORMS, Normalize, conv_cell, make_norm
from gluon_yolo.mxnet_compat import autograd, gluon, nd


def cell_of(kind: str):
    cell = conv_cell(4, 3, make_norm(kind), in_channels=2, activation="leaky")
    cell.initialize()
    return cell


def values(block) -> dict[str, np.ndarray]:
    return {name: parameter_io.array(p) for name, p in block._collect_params_with_prefix().items()}


def test_every_norm_holds_the_same_parameters():
    shapes = [{name: value.shape for name, value in values(cell_of(kind)).items()} for kind in NORMS]
    assert shapes[0] == shapes[1] == shapes[2]
    assert list(shapes[0]) == ["0.weight", "1.gamma", "1.beta", "1.running_mean", "1.running_var"]


def test_every_norm_infers_the_same(tmp_path):
    file = str(tmp_path / "cell.params")
    first = cell_of("bn")
    rng = np.random.default_rng(0)
    for name, parameter in first._collect_params_with_prefix().items():
        if name.startswith("1."):
            parameter.set_data(nd.array(rng.uniform(0.5, 2, parameter.shape)))
    first.save_parameters(file)
    x = nd.array(rng.normal(0, 1, (2, 2, 5, 7)))
    for kind in ("sync", "frozen"):
        cell = cell_of(kind)
        cell.load_parameters(file)
        np.testing.assert_allclose(cell(x).asnumpy(), first(x).asnumpy(), atol=1e-5)


# kind, parameters that a training step changes beside the convolution
TRAINED = [
    ("bn", {"1.gamma", "1.beta", "1.running_mean", "1.running_var"}),
    ("sync", {"1.gamma", "1.beta", "1.running_mean", "1.running_var"}),
    ("frozen", set()),
]


@pytest.mark.parametrize(("kind", "moved"), TRAINED)
def test_what_a_training_step_moves(kind, moved):
    cell = cell_of(kind)
    trainer = gluon.Trainer(cell.collect_params(), "sgd", {"learning_rate": 1.0, "wd": 0.1}, kvstore=None)
    before = values(cell)
    x = nd.array(np.random.default_rng(0).normal(1, 2, (3, 2, 6, 6)))
    with autograd.record():
        loss = (cell(x) * nd.random.uniform(shape=(3, 4, 6, 6))).sum()
    loss.backward()
    trainer.step(1, ignore_stale_grad=True)
    changed = {name for name, value in values(cell).items() if (value != before[name]).any()}
    assert changed == {"0.weight"} | moved


def test_unknown_norm():
    with pytest.raises(ValueError, match="norm: expected one of .*'frozen'.*, got 'group'"):
        make_norm("group")


# kernel, stride, groups, input (C, H, W), channels, output (H, W)
CELLS = [
    (3, 1, 1, (3, 7, 9), 8, (7, 9)),
    (3, 2, 1, (3, 8, 12), 8, (4, 6)),
    (1, 1, 1, (4, 5, 5), 2, (5, 5)),
    (3, 2, 4, (4, 8, 8), 4, (4, 4)),  # depthwise
    (5, 1, 1, (3, 8, 8), 2, (8, 8)),
]


@pytest.mark.parametrize(("kernel", "stride", "groups", "shape", "channels", "size_hw"), CELLS)
def test_conv_cell(kernel, stride, groups, shape, channels, size_hw):
    cell = conv_cell(channels, kernel, make_norm(), stride, groups, in_channels=shape[0])
    cell.initialize()
    assert cell(nd.ones((2, *shape))).shape == (2, channels, *size_hw)
    names = cell._collect_params_with_prefix()
    assert names["0.weight"].shape == (channels, shape[0] // groups, kernel, kernel)
    assert "0.bias" not in names


# activation, its values at -2, 1 and 9
CURVES = [("relu", [0, 1, 9]), ("relu6", [0, 1, 6]), ("leaky", [-0.2, 1, 9])]


@pytest.mark.parametrize(("name", "expected"), CURVES)
def test_activations(name, expected):
    np.testing.assert_allclose(ACTIVATIONS[name]()(nd.array([-2, 1, 9])).asnumpy(), expected, rtol=1e-6)


def test_linear_cell_has_no_activation():
    assert len(conv_cell(2, 1, make_norm(), activation="linear", in_channels=2)) == 2


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float16", "int32"])
def test_pixels_of_every_type(dtype):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3))
    normalize = Normalize(MEAN, STD)
    normalize.initialize()
    for hybridize in (False, True):
        normalize.hybridize(hybridize)
        planes = normalize(nd.array(pixels, dtype=dtype))
        assert planes.dtype == np.float32 and planes.shape == (2, 3, 4, 6)
        np.testing.assert_allclose(
            planes.asnumpy(), ((pixels / 255 - MEAN) / STD).transpose(0, 3, 1, 2), rtol=1e-5, atol=1e-6
        )
