"""Blocks traced to graphs: names by place, and nothing of the workarounds for training on a CPU."""

from __future__ import annotations

import numpy as np

from gluon_yolo.graph.trace import arrays, trace, trained_names
from gluon_yolo.models.layers import fuse_for_training
from gluon_yolo.mxnet_compat import autograd, gluon
from gluon_yolo.training.freeze import freeze
from gluon_yolo.weights.load import structural_parameters
from tests.models.darknet import small
from tests.random_model import random_detector

UNEVEN = "\n[convolutional]\nfilters=5\nsize=1\nstride=1\nactivation=leaky\n[route]\nlayers=-1,-2\n"


def test_variables_have_the_names_of_places():
    net = random_detector()
    graph = trace(net, ["pixels"])
    assert set(graph.variables) == {"pixels", *net._collect_params_with_prefix()}
    assert len(graph.outputs) == net.spec.num_levels
    assert (
        trace(random_detector(), ["pixels"]).variables == graph.variables
    )  # not of how many there were before


def test_while_mxnet_records_a_training_step_the_graph_is_the_same():
    """Its CPU kernels get other operators then, which are no part of the network."""
    for net, ours in (
        (random_detector(), "Activation"),
        (small.built(small.NET + small.BACKBONE + UNEVEN + small.YOLO), "Concat"),
    ):
        fuse_for_training(net)
        with autograd.record():
            recorded = trace(net, ["pixels"])
        operators = [node.op for node in trace(net, ["pixels"]).nodes]
        assert [node.op for node in recorded.nodes] == operators
        assert ours in operators and not {"_contrib_BatchNormWithReLU", "reshape_like"} & set(operators)


def test_a_parameter_at_two_places_has_the_first_name():
    net = gluon.nn.HybridSequential()
    first = gluon.nn.Dense(3, in_units=3, use_bias=False)
    net.add(first, gluon.nn.Dense(3, in_units=3, use_bias=False, params=first.params))
    graph = trace(net, ["x"])
    assert graph.variables == ("x", "0.weight")
    assert len(graph.outputs) == 1


def test_arrays_are_all_values_and_trained_those_with_a_gradient():
    net = random_detector()
    values = arrays(net)
    assert values.keys() == set(trace(net, ["pixels"]).variables) - {"pixels"}
    mean = net._collect_params_with_prefix()["normalize.mean"]
    assert np.array_equal(values["normalize.mean"], mean.data().asnumpy())
    everything = set(structural_parameters(net))
    statistics = {name for name in everything if name.endswith(("running_mean", "running_var"))}
    assert trained_names(net) == everything - statistics
    freeze(net, ["backbone"])
    assert trained_names(net) == {n for n in everything - statistics if not n.startswith("backbone")}
