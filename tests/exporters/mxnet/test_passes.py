"""Batch normalisation folded in a symbol: fewer operators, the same results, with mxnet only."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gluon_yolo.exporters.mxnet.passes import fuse
from gluon_yolo.exporters.mxnet.trace import DECODED
from gluon_yolo.models.decode import Decode, Detect
from gluon_yolo.mxnet_compat import mx
from tests.exporters.networks import settled
from tests.exporters.symbol_files import STRANGERS, by_symbol_block, traced, written
from tests.random_model import random_detector, random_image

PIXELS = np.stack([random_image(96, 64, seed) for seed in (1, 2)])


def operators(symbol) -> list[str]:
    return [node["op"] for node in json.loads(symbol.tojson())["nodes"]]


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("tail", [None, Decode, Detect])
def test_the_networks_numbers(tmp_path, stranger, tail):
    symbol, parameters = traced(random_detector(), tail)
    folded, values = fuse(symbol, parameters)
    ours = STRANGERS[stranger](written(tmp_path, folded, values), PIXELS)
    theirs = STRANGERS[stranger](written(tmp_path, symbol, parameters), PIXELS)
    for a, b in zip(ours, theirs):
        assert a.shape == b.shape and np.abs(a - b).max() <= 1e-4 * max(1, np.abs(b).max())
    assert "BatchNorm" in operators(symbol) and set(operators(folded)) < set(operators(symbol))
    assert folded.list_outputs() == symbol.list_outputs() and folded.list_auxiliary_states() == []
    assert set(folded.list_inputs()) == {"data", *values}
    if tail is not None:
        assert set(folded.get_internals().list_outputs()).issuperset(f"{name}_output" for name in DECODED)


@pytest.mark.parametrize("name", ["yolo_fastestv2", "yolo3_mobilenetv2_0.25"])
def test_families(tmp_path, name):
    symbol, parameters = traced(settled(f"{name}_voc"))
    folded, values = fuse(symbol, parameters)
    assert "BatchNorm" not in operators(folded)
    ours = by_symbol_block(written(tmp_path, folded, values), PIXELS[:1, :64, :64])
    theirs = by_symbol_block(written(tmp_path, symbol, parameters), PIXELS[:1, :64, :64])
    assert max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(ours, theirs)) < 1e-4


def convolution(name, data, **options):
    options.setdefault("weight", mx.sym.var(f"{name}_weight"))
    return mx.sym.Convolution(data, kernel=(1, 1), num_filter=2, name=name, **options)


NUMBERS = {
    "a_weight": [2, 3],
    "a_bias": [10, 20],
    "gamma": [3, 5],
    "beta": [1, 2],
    "mean": [4, 6],
    "variance": [15, 24],
}


def test_hand_made():
    """(x * w + b - mean) * gamma / sqrt(variance + 1) + beta, and without gamma where it is fixed at one."""
    for fixed, weights, biases in ((False, [1.5, 3], [5.5, 16]), (True, [0.5, 0.6], [2.5, 4.8])):
        norm = mx.sym.BatchNorm(
            convolution("a", mx.sym.var("data")),
            *(mx.sym.var(name) for name in ("gamma", "beta", "mean", "variance")),
            eps=1,
            fix_gamma=fixed,
        )
        values = {name: mx.nd.array(numbers) for name, numbers in NUMBERS.items()}
        values["a_weight"] = values["a_weight"].reshape((2, 1, 1, 1))
        folded, values = fuse(mx.sym.relu(norm, name="end"), values)
        assert operators(folded) == ["null", "null", "null", "Convolution", "relu"]
        assert set(values) == {"a_weight", "a_bias"}
        np.testing.assert_allclose(values["a_weight"].asnumpy().ravel(), weights, rtol=1e-6)
        np.testing.assert_allclose(values["a_bias"].asnumpy(), biases, rtol=1e-6)


def shared_map(a, norm):
    return mx.sym.Group([mx.sym.relu(norm(a)), mx.sym.relu(a)])


def norm_goes_out(a, norm):
    return norm(a)


def convolution_goes_out(a, norm):
    return mx.sym.Group([a, mx.sym.relu(norm(a))])


def not_by_channel(a, norm):
    return mx.sym.relu(norm(a, axis=2))


def no_convolution(a, norm):
    return mx.sym.relu(norm(mx.sym.relu(a)))


def shared_weight(a, norm):
    again = mx.sym.Convolution(
        mx.sym.var("data"), mx.sym.var("a_weight"), kernel=(1, 1), num_filter=2, no_bias=True, name="b"
    )
    return mx.sym.Group([mx.sym.relu(norm(a)), again])


@pytest.mark.parametrize(
    "build",
    [shared_map, norm_goes_out, convolution_goes_out, not_by_channel, no_convolution, shared_weight],
)
def test_what_cannot_be_folded_stays(build):
    values = {name: mx.nd.array(numbers) for name, numbers in NUMBERS.items()}
    values["a_weight"] = values["a_weight"].reshape((2, 1, 1, 1))
    weight = mx.sym.var("a_weight")
    a = mx.sym.Convolution(mx.sym.var("data"), weight, mx.sym.var("a_bias"), kernel=(1, 1), num_filter=2)

    def norm(data, axis=1):
        statistics = (mx.sym.var(name) for name in ("gamma", "beta", "mean", "variance"))
        return mx.sym.BatchNorm(data, *statistics, axis=axis)

    symbol = build(a, norm)
    folded, kept = fuse(symbol, values)
    assert operators(folded).count("BatchNorm") == 1 and folded.list_outputs() == symbol.list_outputs()
    assert all((kept[name] == values[name]).asnumpy().all() for name in kept)
