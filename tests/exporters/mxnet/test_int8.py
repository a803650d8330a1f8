"""Int8 symbols: ranges from images, excluded layers, run with mxnet only."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.exporters.mxnet.int8 import calibrate, layers, lower, quantize
from gluon_yolo.exporters.mxnet.passes import convert, fuse
from gluon_yolo.exporters.mxnet.trace import DECODED
from gluon_yolo.inference.exported_format import RAW_MAP
from gluon_yolo.models.decode import Decode, Detect
from gluon_yolo.mxnet_compat import mx
from tests.exporters.networks import settled
from tests.exporters.symbol_files import STRANGERS, by_symbol_block, traced, written
from tests.random_model import random_detector, random_image

pytestmark = pytest.mark.skipif(
    not mx.runtime.Features().is_enabled("MKLDNN"), reason="mxnet's int8 needs a build with oneDNN"
)
IMAGES = np.stack([random_image(64, 96, seed) for seed in range(4)])


def nodes(symbol) -> list[dict]:
    return json.loads(symbol.tojson())["nodes"]


def far(ours, theirs) -> float:
    """Return the mean difference relative to the values' mean size, the largest over the pairs."""
    return max(float(np.abs(a - b).mean() / np.abs(b).mean()) for a, b in zip(ours, theirs))


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("tail", [None, Decode])
def test_close_to_the_network(tmp_path, stranger, tail):
    symbol, parameters = traced(random_detector(), tail)
    quantized, values = quantize(symbol, parameters, [IMAGES])
    ours = STRANGERS[stranger](written(tmp_path, quantized, values), IMAGES[:2])
    theirs = STRANGERS[stranger](written(tmp_path, symbol, parameters), IMAGES[:2])
    assert 1e-3 < far(ours, theirs) < 0.15
    assert quantized.list_outputs() == symbol.list_outputs()


def test_names_within_stay():
    symbol, parameters = traced(random_detector(), Detect)
    quantized, _ = quantize(symbol, parameters, [IMAGES])
    wanted = {f"{name}_output" for name in (*DECODED, *(f"{RAW_MAP}{level}" for level in range(3)))}
    assert wanted <= set(quantized.get_internals().list_outputs())


@pytest.mark.parametrize("name", ["yolo_fastestv2", "yolo3_mobilenetv2_0.25"])
def test_families(tmp_path, name):
    """Concatenations of split maps, clipped activations, sums."""
    symbol, parameters = traced(settled(f"{name}_voc"))
    images = np.stack([random_image(64, 64, seed) for seed in range(3)])
    ours = by_symbol_block(written(tmp_path, *quantize(symbol, parameters, [images])), images)
    assert far(ours, by_symbol_block(written(tmp_path, symbol, parameters), images)) < 0.15


def test_layers_are_in_order_and_survive_fusion():
    symbol, parameters = traced(random_detector(), Detect)
    found = layers(symbol)
    assert (
        found[:2] == ("backbone_stages_0_0_0", "backbone_stages_0_1_0")
        and len(found) == len(set(found)) == 47
    )
    assert found.index("backbone_stages_2_3_0") < found.index("neck_blocks_0_body_0_0")
    assert not any(name.startswith("heads") for name in found)
    assert layers(fuse(symbol, parameters)[0]) == found


def test_layers_left_out_and_the_last_are_in_float():
    symbol, parameters = traced(random_detector())
    left_out = ("backbone_stages_0_1_0", "neck_transitions_0_0")
    quantized, _ = lower(symbol, parameters, calibrate(symbol, parameters, [IMAGES]), left_out)
    joined = [node for node in nodes(quantized) if node["op"] == "_sg_mkldnn_conv"]
    plain = [node for node in joined if node.get("attrs", {}).get("quantized", "false") != "true"]
    weights = {nodes(quantized)[node["inputs"][1][0]]["name"] for node in plain}
    assert len(joined) == 50
    assert weights == {f"{name}_weight" for name in (*left_out, *(f"heads_levels_{i}" for i in range(3)))}


def two_layers():
    """Return the first channel, after a layer that can be int8; then the same with the last layer's bias."""
    data = mx.sym.transpose(mx.sym.Cast(mx.sym.var("data"), dtype="float32"), axes=(0, 3, 1, 2))
    options = {"kernel": (1, 1), "num_filter": 1}
    first = mx.sym.Convolution(data, mx.sym.var("first_weight"), no_bias=True, name="conv", **options)
    first = mx.sym.Activation(first, act_type="relu")
    last = mx.sym.Convolution(
        first, mx.sym.var("last_weight"), mx.sym.var("last_bias"), name="end", **options
    )
    numbers = {"first_weight": np.reshape([1, 0, 0], (1, 3, 1, 1)), "last_weight": np.ones((1, 1, 1, 1))}
    numbers["last_bias"] = np.array([1000])
    return last, {name: mx.nd.array(array) for name, array in numbers.items()}


def image(*reds):
    return np.stack([np.full(len(reds), 0), reds, reds], axis=-1)[None, None, :, ::-1].astype(np.uint8)


@pytest.mark.parametrize("excluded, expected", [((), [0, 3, 51, 51]), (("first",), [0, 3, 51, 255])])
def test_hand_made(tmp_path, excluded, expected):
    """Calibrated on 0..51: integers have an error of at most two of 255 steps of 0.2, and 255 becomes 51."""
    symbol, parameters = two_layers()
    quantized, values = quantize(symbol, parameters, [image(0, 10), image(51, 3)], excluded=excluded)
    (given,) = by_symbol_block(written(tmp_path, quantized, values), image(0, 3, 51, 255))
    assert np.abs(given.ravel() - 1000 - expected).max() < (1e-3 if excluded else 0.4)


@pytest.mark.parametrize("method", ["minmax", "entropy"])
def test_progress_and_batches(method):
    """Images in any batches, also from a generator, count once; the ranges are the same."""
    symbol, parameters = two_layers()
    calls = []
    ranges = calibrate(
        symbol,
        parameters,
        (p for p in [image(0, 10), image(51, 3)]),
        method,
        lambda *call: calls.append(call),
    )
    assert calls[:2] == [("pictures", 1, None), ("pictures", 2, None)]
    assert calls[2:] == (
        [("ranges", n, len(ranges)) for n in range(1, 1 + len(ranges))] if method == "entropy" else []
    )
    both = np.concatenate([image(0, 10), image(51, 3)])
    assert ranges == calibrate(symbol, parameters, [both], method)
    if method == "minmax":
        assert (0, 51) in ranges.values()


def test_a_layer_that_gives_nothing_but_zeros(tmp_path):
    symbol, parameters = two_layers()
    parameters["first_weight"][:] = 0
    quantized, values = quantize(symbol, parameters, [image(0, 10)])
    (given,) = by_symbol_block(written(tmp_path, quantized, values), image(0, 255))
    assert np.abs(given - 1000).max() < 1e-3


def without_images(symbol, parameters):
    quantize(symbol, parameters, [])


def unknown_method(symbol, parameters):
    quantize(symbol, parameters, [IMAGES], "mean")


def unknown_layer(symbol, parameters):
    quantize(symbol, parameters, [IMAGES], excluded=["second"])


def damaged(symbol, parameters):
    parameters["first_weight"][:] = np.nan
    quantize(symbol, parameters, [IMAGES])


def quantized_already(symbol, parameters):
    quantize(*quantize(symbol, parameters, [IMAGES]), [IMAGES])


def in_bfloat16(symbol, parameters):
    quantize(*convert(symbol, parameters), [IMAGES])


@pytest.mark.parametrize(
    "mistake, message",
    [
        (without_images, "no pictures"),
        (unknown_method, "minmax, entropy"),
        (unknown_layer, "'second'.*its layers are first"),
        (damaged, "not finite"),
        (quantized_already, "another precision already"),
        (in_bfloat16, "another precision already"),
    ],
)
def test_mistakes(mistake, message):
    with pytest.raises(UserError, match=message):
        mistake(*two_layers())


SCRIPT = """
import sys, numpy as np
from pathlib import Path
from tests.exporters.symbol_files import by_symbol_block
np.savez(sys.argv[2], *by_symbol_block(Path(sys.argv[1]), np.load(sys.argv[3])))
"""


def test_older_processors_come_close_too(tmp_path):
    """With oneDNN limited to AVX2, without int8 products."""
    symbol, parameters = traced(random_detector())
    prefix = written(tmp_path, *quantize(symbol, parameters, [IMAGES]))
    np.save(tmp_path / "pixels.npy", IMAGES[:1])
    words = [str(prefix), str(tmp_path / "out.npz"), str(tmp_path / "pixels.npy")]
    environment = {**os.environ, "DNNL_MAX_CPU_ISA": "AVX2"}
    subprocess.run([sys.executable, "-c", SCRIPT, *words], check=True, env=environment)
    given = np.load(tmp_path / "out.npz")
    expected = by_symbol_block(written(tmp_path, symbol, parameters), IMAGES[:1])
    assert far([given[name] for name in given.files], expected) < 0.1
