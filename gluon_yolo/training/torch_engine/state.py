"""Torch state: weights, statistics and velocities between a torch module and a Gluon network."""

from __future__ import annotations

from typing import Union

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.mxnet_compat import gluon, nd
from gluon_yolo.torch_compat import Tensor, nn, torch
from gluon_yolo.training.torch_engine.adamw import AdamW
from gluon_yolo.training.torch_engine.sgd import SGD
from gluon_yolo.weights.load import structural_parameters

Optimizer = Union[SGD, AdamW]


def to_net(net: DetectionNetwork, module: nn.Module) -> None:
    """Set the parameters and statistics of a Gluon network to those of a module."""
    state = module.state_dict()
    for name, parameter in structural_parameters(net).items():
        parameter.set_data(nd.array(_array(state[name])))


@torch.no_grad()
def from_net(net: DetectionNetwork, module: nn.Module) -> None:
    """Set the parameters and statistics of a module to those of a Gluon network."""
    state = module.state_dict()
    for name, parameter in structural_parameters(net).items():
        state[name].copy_(torch.from_numpy(parameter_io.array(parameter)))


def to_trainer(net: DetectionNetwork, trainer: gluon.Trainer, optimizer: Optimizer, updates: int) -> None:
    """Set states and update counts of a gluon trainer, as if it had made the updates itself."""
    (updater,), settings, states = trainer._updaters, trainer.optimizer, optimizer.states
    for number, name in enumerate(_places(net, trainer)):
        arrays = tuple(nd.array(_array(each)) for each in states.get(name, ()))
        updater.states[number] = arrays if len(arrays) > 1 else arrays[0] if arrays else None
        updater.states_synced[number] = True
    settings._all_index_update_counts = {0: dict.fromkeys(range(len(trainer._params)), updates)}
    settings._index_update_count = settings._all_index_update_counts[0]
    settings.num_update = updates


@torch.no_grad()
def from_trainer(net: DetectionNetwork, trainer: gluon.Trainer, optimizer: Optimizer) -> int:
    """Set states to those of a gluon trainer, and return the number of updates it has made."""
    states, own = trainer._updaters[0].states, optimizer.states
    for number, name in enumerate(_places(net, trainer)):
        saved = states.get(number)
        for array, each in zip(saved if isinstance(saved, tuple) else (saved,), own.get(name, ())):
            if array is not None:
                each.copy_(torch.from_numpy(array.asnumpy()))
    optimizer.updates = trainer.optimizer.num_update
    return optimizer.updates


def _places(net: DetectionNetwork, trainer: gluon.Trainer) -> list[str]:
    """Return the structural name of each parameter, in the trainer's order."""
    places = {parameter.name: name for name, parameter in structural_parameters(net).items()}
    return [places[parameter.name] for parameter in trainer._params]


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to("cpu", torch.float32).contiguous().numpy()
