"""The same steps by mxnet's engine and by torch's, from the same weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.models import zoo
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.mxnet_compat import gluon, mx, nd
from gluon_yolo.torch_compat import torch
from gluon_yolo.training.assigner_choice import assigned
from gluon_yolo.training.freeze import freeze
from gluon_yolo.training.mxnet_engine.step import TrainStep
from gluon_yolo.training.torch_engine.step import TorchStep
from gluon_yolo.weights.load import structural_parameters
from tests.training.mxnet_engine.test_step import CLASSES, NETWORK, make_batch

RATES = (0.0005, 0.001, 0.0015, 0.0002)  # a warm-up and a decay: each velocity contains the rate of its time
Values = dict[str, np.ndarray]


class Outcome(NamedTuple):
    """The losses of each step (S, L), and what there is after the last one, by structural name."""

    losses: np.ndarray
    parameters: Values
    velocities: Values


def make_net(
    norm: str = "bn", name: str = NETWORK, selectors: Sequence[str] = (), assigner: str = "auto"
) -> DetectionNetwork:
    """Return a network with fixed weights.

    Where it normalises over the batch its activations are kept away from the kinks of their ReLUs: near a
    kink a difference in rounding switches an activation on or off, with a whole gradient.
    """
    net = zoo.build(name, CLASSES, norm=norm)
    net.spec = assigned(net.spec, assigner, name)
    net.initialize_weights(seed=3)
    for place, parameter in structural_parameters(net).items():
        if norm != "frozen" and place.endswith(".beta"):
            parameter.set_data(nd.full(parameter.shape, 3.0))
    freeze(net, selectors)
    return net


def parameters_of(net: DetectionNetwork) -> Values:
    return {name: parameter_io.array(each) for name, each in structural_parameters(net).items()}


def velocities_of(net: DetectionNetwork, trainer: gluon.Trainer) -> Values:
    places = {parameter.name: name for name, parameter in structural_parameters(net).items()}
    states = trainer._updaters[0].states
    return {
        places[parameter.name]: states[number].asnumpy()
        for number, parameter in enumerate(trainer._params)
        if states[number] is not None
    }


def run(step: Any, sizes: Sequence[int] = (64,) * len(RATES)) -> Outcome:
    """Return the outcome of a step per rate, on batches of some sizes."""
    batches = [make_batch(step.net.spec, number, size) for number, size in enumerate(sizes)]
    losses = np.array([step(batch, rate) for batch, rate in zip(batches, RATES)])
    step.to_net()
    return Outcome(losses, parameters_of(step.net), velocities_of(step.net, step.trainer))


def by_mxnet(net: DetectionNetwork, **options: Any) -> TrainStep:
    return TrainStep(net, [mx.cpu()], **options)


def by_float64(net: DetectionNetwork, **options: Any) -> TorchStep:
    return TorchStep(net, dtype=torch.float64, **options)


def apart(one: Values, other: Values, start: Values | None = None) -> float:
    """Return how far two sets of arrays are apart, relative to their size or to the way from the start."""
    assert one.keys() == other.keys()
    names = list(one)
    difference = np.concatenate([(one[name] - other[name]).ravel() for name in names]).astype(np.float64)
    way = np.concatenate([(one[n] - (start[n] if start else 0)).ravel() for n in names]).astype(np.float64)
    return float(np.linalg.norm(difference) / np.linalg.norm(way))
