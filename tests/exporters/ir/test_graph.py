"""InferenceGraph and folding: errors of invalid graphs, and results by hand; without mxnet and ONNX."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.exporters.ir.fold import fold
from gluon_yolo.exporters.ir.graph import Builder, InferenceGraph, Node, pruned
from tests.child import python
from tests.exporters import numpy_engine

ONE = np.ones(1, np.float32)
RELU = Node("relu", "a", ("data",))


@pytest.mark.parametrize(
    ("nodes", "weights", "outputs", "message"),
    [
        ([Node("sine", "a", ("data",))], {}, {"y": "a"}, "sine a: no such operator"),
        ([Node("relu", "a", ("b",))], {}, {"y": "a"}, "relu a: reads b, which is not there"),
        ([RELU, RELU], {}, {"y": "a"}, "relu a: the name is taken"),
        ([RELU], {"a": ONE}, {"y": "a"}, "relu a: the name is taken"),
        ([Node("subtract", "a", ("data",))], {}, {"y": "a"}, "subtract a: reads 1 arrays, expected 2 to 2"),
        ([Node("affine", "a", ("data", "s"))], {"s": ONE}, {"y": "a"}, "reads 1 weights, expected 2 to 2"),
        ([Node("multiply", "a", ("s", "data"))], {"s": ONE}, {"y": "a"}, "a weight stands before an array"),
        (
            [Node("clip", "a", ("data",), {"min": 0})],
            {},
            {"y": "a"},
            r"has \['min'\], expected",
        ),
        (
            [Node("affine", "a", ("data", "s", "s"))],
            {"s": np.ones(1)},
            {"y": "a"},
            "weight s: .* float32",
        ),
        ([RELU], {}, {"y": "b"}, r"outputs: .* got \['b'\]"),
        ([RELU], {}, {}, "outputs"),
    ],
)
def test_nonsense(nodes, weights, outputs, message):
    with pytest.raises(ValueError, match=message):
        InferenceGraph(tuple(nodes), weights, outputs)


def test_what_no_output_needs_falls_away():
    nodes = [RELU, Node("affine", "b", ("a", "s", "s")), Node("affine", "c", ("a", "t", "t"))]
    graph = pruned(nodes, {"s": np.ones(1), "t": np.ones(1)}, {"y": "b"})
    assert [node.name for node in graph.nodes] == ["a", "b"] and list(graph.weights) == ["s"]
    assert graph.weights["s"].dtype == np.float32
    assert [node.name for node in graph.readers["a"]] == ["b"]


@pytest.mark.parametrize(
    ("readers", "outputs", "expected"),
    [
        (["tanh"], ["reader0"], ["inner"]),
        (["tanh", "tanh"], ["reader0", "reader1"], ["inner"]),
        (["tanh", "relu"], ["reader0", "reader1"], []),
        (["tanh"], ["reader0", "inner"], []),
    ],
)
def test_a_softplus_within_mish_is_read_by_tanh_alone(readers, outputs, expected):
    nodes = [Node("softplus", "inner", ("data",))]
    nodes += [Node(op, f"reader{number}", ("inner",)) for number, op in enumerate(readers)]
    graph = InferenceGraph(tuple(nodes), {}, {name: name for name in outputs})
    assert list(graph.within_mish()) == expected


def test_importing_needs_numpy_alone():
    code = (
        "import sys, gluon_yolo.exporters.ir.decode, gluon_yolo.exporters.ir.fold; "
        "print(sorted({'mxnet', 'onnx'} & set(sys.modules)))"
    )
    done = python("-c", code)
    assert done.stdout.strip() == "[]"


def conv(build, source, weight, bias=None, padding=0, groups=1, name=None):
    weights = [np.array(weight, float)] + ([] if bias is None else [np.array(bias, float)])
    return build.add(
        "convolution",
        source,
        name=name,
        weights=weights,
        stride=(1, 1),
        padding=(padding,) * 4,
        dilation=(1, 1),
        groups=groups,
    )


def affine(build, source, scale, shift):
    return build.add("affine", source, weights=(np.array(scale, float), np.array(shift, float)))


def folded(build, *names):
    return fold(build.nodes, build.weights, {f"y{place}": name for place, name in enumerate(names)})


def weights_of(graph, number):
    node = [node for node in graph.nodes if node.op == "convolution"][number]
    return [graph.weights[name].ravel().tolist() for name in node.inputs[1:]]


def test_affine_behind_a_convolution():
    """3 x + 1, then times 2 and plus 5: 6 x + 7."""
    build = Builder()
    graph = folded(build, affine(build, conv(build, "data", [[[[3]]]], [1]), [2], [5]))
    assert [node.op for node in graph.nodes] == ["convolution"] and weights_of(graph, 0) == [[6], [7]]


def test_affine_before_a_convolution_without_padding():
    """(2 x + 5) times 3, plus 1: 6 x + 16."""
    build = Builder()
    graph = folded(build, conv(build, affine(build, "data", [2], [5]), [[[[3]]]], [1]))
    assert [node.op for node in graph.nodes] == ["convolution"] and weights_of(graph, 0) == [[6], [16]]


def test_affine_before_a_padded_convolution_leaves_its_shift():
    """2 x + 5 is 2 (x + 2.5): the factor is folded, the shift stays because of the border."""
    build = Builder()
    graph = folded(build, conv(build, affine(build, "data", [2], [5]), np.full((1, 1, 3, 3), 3), padding=1))
    assert [node.op for node in graph.nodes] == ["affine", "convolution"]
    assert [graph.weights[name].tolist() for name in graph.nodes[0].inputs[1:]] == [[1], [2.5]]
    assert weights_of(graph, 0)[0] == [6] * 9


def test_affine_before_groups():
    """Channels 0 and 1 times 2 and 3; each is a group with two outputs."""
    build = Builder()
    planes = build.add("planes", "data")
    parts = build.add("slice", planes, axis=1, begin=0, end=2, step=1)
    graph = folded(build, conv(build, affine(build, parts, [2, 3], [0, 0]), np.ones((4, 1, 1, 1)), groups=2))
    assert weights_of(graph, 0)[0] == [2, 2, 3, 3]


def test_affine_steps_in_a_row():
    """((x times 2) + 1) times 3, - 3: 6 x."""
    build = Builder()
    once = affine(build, build.add("relu", "data"), [2], [1])
    graph = folded(build, affine(build, once, [3], [-3]))
    assert [graph.weights[name].tolist() for name in graph.nodes[1].inputs[1:]] == [[6], [0]]


def test_what_else_reads_a_convolution_keeps_it():
    build = Builder()
    first = conv(build, "data", [[[[3]]]])
    graph = folded(build, affine(build, first, [2], [5]), build.add("relu", first))
    assert [node.op for node in graph.nodes] == ["convolution", "affine", "relu"]


def test_an_output_keeps_what_it_is():
    build = Builder()
    first = conv(build, "data", [[[[3]]]])
    graph = folded(build, affine(build, first, [2], [5]), first)
    assert [node.op for node in graph.nodes] == ["convolution", "affine"]


def test_shared_weights_are_folded_for_one_alone():
    """Two convolutions read one weight, and batch normalisation follows only the first."""
    build = Builder()
    weight = build.store("a_weight", np.full((1, 1, 1, 1), 3.0))
    numbers = {"stride": (1, 1), "padding": (0,) * 4, "dilation": (1, 1), "groups": 1}
    first = build.add("convolution", "data", weight, name="a", **numbers)
    second = build.add("convolution", build.add("relu", "data"), weight, name="b", **numbers)
    graph = folded(build, affine(build, first, [2], [0]), second)
    assert sorted(weights_of(graph, number)[0] for number in (0, 1)) == [[3], [6]]
    pixels = np.full((1, 1, 1, 1), 1, np.float32)
    assert {name: float(y.item()) for name, y in numpy_engine.run(graph, pixels).items()} == {
        "y0": 6,
        "y1": 3,
    }


def test_affine_of_nothing_is_left_out():
    build = Builder()
    graph = folded(build, build.add("relu", affine(build, build.add("tanh", "data"), [1], [0])))
    assert [node.op for node in graph.nodes] == ["tanh", "relu"]


def test_channel_that_is_scaled_away_stays():
    """A shift cannot be divided by a scale of 0."""
    build = Builder()
    graph = folded(build, conv(build, affine(build, "data", [0], [5]), np.ones((1, 1, 3, 3)), padding=1))
    assert [graph.weights[name].tolist() for name in graph.nodes[0].inputs[1:]] == [[0], [5]]
