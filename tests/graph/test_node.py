"""Graphs read from mxnet's text: nodes, attributes as Python values, outputs."""

from __future__ import annotations

import pytest

from gluon_yolo.graph.node import Graph, Node, Output
from gluon_yolo.mxnet_compat import mx


def test_a_symbol_is_nodes_in_order():
    x = mx.sym.var("x")
    halves = mx.sym.SliceChannel(x, num_outputs=2, axis=1, name="halves")
    graph = Graph.from_json(mx.sym.Group([halves[1] * 0.5, halves[0]]).tojson())
    assert graph.nodes[:2] == (
        Node("x", "null"),
        Node("halves", "SliceChannel", (Output(0),), {"num_outputs": 2, "axis": 1}),
    )
    assert [node.op for node in graph.nodes] == ["null", "SliceChannel", "_mul_scalar"]
    assert graph.nodes[2].inputs == (Output(1, 1),)
    assert graph.outputs == (Output(2), Output(1, 0))
    assert graph.variables == ("x",)
    assert [node.name for node in graph.read_by(graph.nodes[2])] == ["halves"]


@pytest.mark.parametrize(
    ("symbol", "attributes"),
    [
        (
            lambda x: mx.sym.Pooling(x, kernel=(2, 3), pool_type="max", global_pool=False),
            {"kernel": (2, 3), "pool_type": "max", "global_pool": False},
        ),
        (lambda x: mx.sym.slice_axis(x, axis=-1, begin=1, end=None), {"axis": -1, "begin": 1, "end": None}),
        (lambda x: x + 1e-6, {"scalar": 1e-6}),
        (lambda x: mx.sym.cast(x, "float32"), {"dtype": "float32"}),
        (lambda x: mx.sym.relu(x), {}),
    ],
)
def test_attributes_are_values(symbol, attributes):
    node = Graph.from_json(symbol(mx.sym.var("x")).tojson()).nodes[-1]
    assert node.attributes == attributes
