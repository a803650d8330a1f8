"""Training graphs get no reference kernels of oneDNN: where copies are made, and that values stay."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gluon_yolo.graph.cpu_layouts import mixed_blocks, without_mixed_blocks
from gluon_yolo.graph.node import Graph
from gluon_yolo.mxnet_compat import autograd, gluon, mx, nd
from gluon_yolo.system.instructions import mxnet_has_avx512
from tests.child import python

nn = gluon.nn


def cell(channels: int, in_channels: int, activation: str = "relu", groups: int = 1) -> list:
    layers = [
        nn.Conv2D(channels, 1, groups=groups, in_channels=in_channels),
        nn.BatchNorm(in_channels=channels),
    ]
    return [*layers, nn.Activation(activation)] if activation else layers


def chain(*layers) -> gluon.HybridBlock:
    block = nn.HybridSequential()
    block.add(*layers)
    return block


class Residual(gluon.HybridBlock):
    """Two cells whose sum, or concatenation, a convolution reads."""

    def __init__(self, joined: bool, channels: int, out: int) -> None:
        super().__init__()
        self.joined = joined
        self.first, self.second = chain(*cell(16, 16)), chain(*cell(channels, 16))
        self.last = nn.Conv2D(out, 1, in_channels=16 + channels if joined else 16)

    def hybrid_forward(self, F, x):
        first = self.first(x)
        second = self.second(first)
        return self.last(F.concat(first, second, dim=1) if self.joined else first + second)


class NormLast(gluon.HybridBlock):
    """Its normalised map is an output too."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.last = chain(*cell(16, 16, "")), nn.Conv2D(8, 1, in_channels=16)

    def hybrid_forward(self, F, x):
        x = self.norm(x)
        return x, self.last(x)


# Each block, and the operators behind which a copy is made. The first input has 16 channels.
BLOCKS = {
    "a head of 27 channels has blocks of 1": (lambda: chain(*cell(32, 16), nn.Conv2D(27, 1)), []),
    "a head of 24 has blocks of 8": (lambda: chain(*cell(32, 16), nn.Conv2D(24, 1)), ["Activation"]),
    "a head of 32 has blocks of 16": (lambda: chain(*cell(32, 16), nn.Conv2D(32, 1)), []),
    "no activation": (lambda: chain(*cell(32, 16, ""), nn.Conv2D(24, 1)), ["BatchNorm"]),
    "from 24 to 48 and to 64": (
        lambda: chain(*cell(24, 16), *cell(48, 24), *cell(64, 48)),
        ["Activation"],  # the map of 48 channels is in blocks of 8, its gradient in blocks of 16
    ),
    "from 24 to 48 and back": (lambda: chain(*cell(24, 16), *cell(48, 24), nn.Conv2D(24, 1)), []),
    "depthwise between": (
        lambda: chain(*cell(24, 16), *cell(48, 24), *cell(48, 48, groups=48), nn.Conv2D(24, 1)),
        ["Activation", "Activation"],
    ),
    "fewer than 16 channels are read as an image": (
        lambda: chain(*cell(8, 16), *cell(16, 8), nn.Conv2D(16, 1)),
        [],
    ),
    "two activations": (
        lambda: chain(*cell(32, 16), nn.LeakyReLU(0.1), nn.Conv2D(24, 1)),
        ["LeakyReLU"],
    ),
    "both readers of a map": (lambda: Residual(False, 16, 16), []),
    "a sum passes its gradient on": (lambda: Residual(False, 16, 24), ["Activation", "Activation"]),
    "a concatenation too": (lambda: Residual(True, 32, 24), ["Activation", "Activation"]),
    "an output": (NormLast, ["BatchNorm"]),
}


def training_graph(block: gluon.HybridBlock) -> tuple[mx.sym.Symbol, dict[str, tuple[int, ...]]]:
    block.initialize()
    block(nd.ones((2, 16, 4, 4)))  # infers the shapes
    with autograd.record():
        outputs = block(mx.sym.var("data"))
    outputs = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
    return mx.sym.Group(outputs), {p.name: p.shape for p in block.collect_params().values()}


@pytest.mark.parametrize("name", BLOCKS)
def test_copies_are_where_blocks_of_8_meet_blocks_of_16(name):
    make, expected = BLOCKS[name]
    symbol, shapes = training_graph(make())
    graph = Graph.from_json(symbol.tojson())
    assert [graph.nodes[place].op for place in mixed_blocks(graph, shapes)] == expected
    nodes = json.loads(without_mixed_blocks(symbol, shapes).tojson())["nodes"]
    copied = [nodes[node["inputs"][0][0]]["op"] for node in nodes if node["name"].endswith("_copy")]
    assert copied == expected


@pytest.mark.parametrize("name", BLOCKS)
def test_values_stay(name):
    symbol, shapes = training_graph(BLOCKS[name][0]())
    other = without_mixed_blocks(symbol, shapes)
    assert other.list_inputs() == symbol.list_inputs()
    rng = np.random.default_rng(0)
    values = {key: nd.array(rng.normal(1, 0.2, shape)) for key, shape in shapes.items()}
    values["data"] = nd.array(rng.normal(0, 1, (2, 16, 4, 4)))
    found = []
    for each in (symbol, other):
        arguments = {key: values[key].copy() for key in each.list_arguments()}
        gradients = {key: nd.zeros_like(value) for key, value in arguments.items()}
        statistics = {key: values[key].copy() for key in each.list_auxiliary_states()}
        executor = each.bind(mx.cpu(), arguments, gradients, aux_states=statistics)
        outputs = executor.forward(is_train=True)
        executor.backward([nd.ones_like(output) for output in outputs])
        found.append([array.asnumpy() for array in (*outputs, *gradients.values(), *statistics.values())])
    for one, two in zip(*found):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4)


STEP = """
import sys
import numpy as np
from gluon_yolo.assigners import COLUMNS
from gluon_yolo.data.loading.collate import Batch
from gluon_yolo.models import zoo
from gluon_yolo.mxnet_compat import mx, nd
from gluon_yolo.training.mxnet_engine.step import TrainStep
from tests.models.darknet import small

SPP = "[maxpool]\\nsize=9\\nstride=1\\n[route]\\nlayers=-1,-2\\n"
if sys.argv[1] == "spp":
    wide = small.BACKBONE.replace("filters=8", "filters=40")
    net = small.built(small.NET + wide + SPP + small.YOLO)
else:
    net = zoo.build("yolo3_mobilenet0.25_custom", ("a", "b", "c"))  # its heads have 24 channels
    net.initialize_weights(seed=0)
step = TrainStep(net, [mx.cpu()])
images = np.zeros((2, 32, 64, 3), dtype=np.uint8)
step(Batch(images, np.zeros((2, 8, COLUMNS), dtype=np.float32), ["", ""], [0, 1], (32, 64)), 0.0)
nd.waitall()
"""


@pytest.mark.parametrize("network", ["mobilenet", "spp"])
def test_a_training_step_has_no_reference_kernel(monkeypatch, network):
    if network == "mobilenet" and not mxnet_has_avx512():
        pytest.skip("blocks of 16 need AVX-512")
    monkeypatch.setenv("DNNL_VERBOSE", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    if network == "spp":  # with AVX-512 oneDNN would have other kernels
        monkeypatch.setenv("DNNL_MAX_CPU_ISA", "AVX2")
    printed = python("-c", STEP, network).stdout.splitlines()
    kernels = [line.split(",")[3:6] for line in printed if line.startswith("dnnl_verbose,exec")]
    kinds = {"batch_normalization"} if network == "mobilenet" else {"batch_normalization", "pooling_v2"}
    assert kinds <= {kind for kind, _, _ in kernels}, "oneDNN prints its kernels"
    assert [line for line in kernels if line[0] in kinds and "ref" in line[1]] == []
