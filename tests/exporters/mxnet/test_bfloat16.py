"""bfloat16 symbols: close to the network, half of the size, run with mxnet only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.exporters.mxnet.passes import convert
from gluon_yolo.exporters.mxnet.trace import DECODED
from gluon_yolo.inference.runtimes.exported_symbol import BFLOAT16
from gluon_yolo.models.decode import Decode, Detect
from gluon_yolo.mxnet_compat import mx
from tests.exporters.networks import settled
from tests.exporters.symbol_files import STRANGERS, by_symbol_block, traced, written
from tests.random_model import random_detector, random_image

PIXELS = random_image(96, 64)[None]
CPUINFO = Path("/proc/cpuinfo")
AVX512 = CPUINFO.is_file() and "avx512bw" in CPUINFO.read_text().split()
runs_bfloat16 = pytest.mark.skipif(not AVX512, reason="mxnet's bfloat16 needs a processor with AVX-512")


def far(ours, theirs) -> float:
    """Return the mean difference relative to the values' mean size, the largest over the pairs."""
    return max(float(np.abs(a - b).mean() / np.abs(b).mean()) for a, b in zip(ours, theirs))


@runs_bfloat16
@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("tail", [None, Decode])
def test_close_to_the_network(tmp_path, stranger, tail):
    symbol, parameters = traced(random_detector(), tail)
    ours = STRANGERS[stranger](written(tmp_path, *convert(symbol, parameters)), PIXELS)
    theirs = STRANGERS[stranger](written(tmp_path, symbol, parameters), PIXELS)
    assert 1e-4 < far(ours, theirs) < 0.1  # neither float32 nor noise


@runs_bfloat16
def test_suppression_stays_in_float32(tmp_path):
    symbol, parameters = traced(random_detector(), Detect)
    ids, scores, boxes = by_symbol_block(written(tmp_path, *convert(symbol, parameters)), PIXELS)
    assert (ids.dtype, scores.dtype, boxes.dtype) == (np.float32,) * 3
    best, best_boxes = scores[0, :, 0], boxes[0]
    assert (np.diff(best) <= 0).all() and best[0] > 0.1
    assert (best_boxes.astype("float32").view(np.uint32) & 0xFFFF).any()  # zero in bfloat16


@runs_bfloat16
@pytest.mark.parametrize("name", ["yolo_fastestv2", "yolo3_mobilenetv2_0.25"])
def test_families(tmp_path, name):
    """Concatenations of split maps, clipped activations, sums."""
    symbol, parameters = traced(settled(f"{name}_voc"))
    pixels = PIXELS[:, :64, :64]
    ours = by_symbol_block(written(tmp_path, *convert(symbol, parameters)), pixels)
    assert far(ours, by_symbol_block(written(tmp_path, symbol, parameters), pixels)) < 0.1


def test_names_types_and_size(tmp_path):
    symbol, parameters = traced(random_detector(), Detect)
    converted, values = convert(symbol, parameters)
    assert converted.list_outputs() == symbol.list_outputs() and "data" in converted.list_inputs()
    assert set(converted.get_internals().list_outputs()).issuperset(f"{name}_output" for name in DECODED)
    types = {name: value.dtype for name, value in values.items()}
    assert types["heads_levels_0_weight"] == BFLOAT16 and types["normalize_mean"] == np.float32
    sizes = []
    for pair in ((symbol, parameters), (converted, values)):
        sizes.append(Path(f"{written(tmp_path, *pair)}-0000.params").stat().st_size)
    assert sizes[1] < 0.55 * sizes[0]


def test_what_was_given_stays():
    symbol, parameters = traced(random_detector())
    before = {name: value.asnumpy().copy() for name, value in parameters.items()}
    convert(symbol, parameters)
    assert all((parameters[name].asnumpy() == before[name]).all() for name in before)
    assert all(value.dtype == mx.nd.zeros(1).dtype for value in parameters.values())
