"""Maps, losses and gradients of a network by both engines, against PyTorch's in float64."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.graph.trace import arrays, trace, trained_names
from gluon_yolo.losses import make_loss
from gluon_yolo.losses.terms import choose_box_loss
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.models.layers import hold_statistics
from gluon_yolo.mxnet_compat import autograd, mx, nd
from gluon_yolo.pytorch.module import block_module, graph_module
from gluon_yolo.spec import BOX_LOSSES, DetectionSpec
from gluon_yolo.torch_compat import torch
from gluon_yolo.training.mxnet_engine.step import TrainStep
from gluon_yolo.weights.load import structural_parameters
from tests.float64 import difference
from tests.judged_networks import annotated_batch, batch_norms, drawn, find, keep_everything, trained
from tests.pytorch.kinks import off_the_kinks

ENGINES = ("mxnet", "torch")
LIMIT, ILL_CONDITIONED_LIMIT = 1e-3, 5e-3  # of any parameter's gradient
PERTURBATION, SEEDS = 1e-7, 3
ILL_CONDITIONED = 1e-4  # a thousand times what every weight was changed by
MAPS_LIMIT, LOSSES_LIMIT = 2e-5, 2e-5


class Step(NamedTuple):
    """What a training step computes.

    Args:
        maps: the raw maps.
        losses: one array (B,) for each name.
        gradients: by parameter.
    """

    maps: list[np.ndarray]
    losses: list[np.ndarray]
    gradients: dict[str, np.ndarray]


class Errors(NamedTuple):
    """Distances of a step from the one in float64.

    Args:
        maps: largest difference of a map over its largest value.
        losses: largest difference of a loss over the largest of all: one that is nearly 0 is a difference of
            two numbers, whose rounding it has.
        together: of all gradients as one vector, the norm of the difference over the norm.
        worst: the same of the parameter with the largest one.
        name: of that parameter.
    """

    maps: float
    losses: float
    together: float
    worst: float
    name: str


def errors(step: Step, right: Step) -> Errors:
    """Return the distances of a step from the right one."""
    maps = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(step.maps, right.maps))
    losses = float(np.abs(np.subtract(step.losses, right.losses)).max() / np.abs(right.losses).max())
    return Errors(maps, losses, *difference(step.gradients, right.gradients))


def box_losses_of(spec: DetectionSpec) -> list[str]:
    """Return the box losses that fit a network, its own first."""
    found = []
    for name in BOX_LOSSES:
        try:
            found.append(choose_box_loss(spec, name))
        except UserError:
            continue
    return list(dict.fromkeys(found))


class Judged:
    """A network with a batch of BCCD's images, and what both engines make of it.

    It has its trained weights, or drawn ones where there are none.

    Args:
        name: of the table of :mod:`tests.judged_networks`.
        data: the shared data.
        size_hw: of the images.
        batch_size: number of images.
        moved: whether its channels are moved off the kinks of their activations
            (:func:`tests.pytorch.kinks.off_the_kinks`).
        held: whether batch norms use the stored statistics; else those of the batch.

    Attributes:
        box_losses: that fit it.
        step: the largest step of a channel off a kink, in its standard deviations.
    """

    def __init__(
        self,
        name: str,
        data: Path,
        size_hw: tuple[int, int],
        batch_size: int = 2,
        moved: bool = True,
        held: bool = True,
    ):
        found, own = find(name, data)
        self.net = found.build()
        self.images, self.targets = annotated_batch(self.net.spec, size_hw, data, batch_size)
        if own is None:
            drawn(self.net, self.images)
        else:
            trained(self.net, own)
        for norm in batch_norms(self.net) if held else ():
            hold_statistics(norm)
        keep_everything(self.net)
        self.step = off_the_kinks(self.net, self.images) if moved else 0.0
        self.box_losses = box_losses_of(self.net.spec)
        self._networks = {
            dtype: TorchNetwork(self.net, self.images, self.targets, dtype)
            for dtype in (torch.float64, torch.float32)
        }
        self._right: dict[str, Step] = {}

    def errors(self, engine: str, box_loss: str) -> Errors:
        """Return the distances of an engine's step from float64's."""
        if engine == "mxnet":
            step = mxnet_step(self.net, box_loss, self.images, self.targets)
        else:
            step = self._networks[torch.float32].step(box_loss)
        return errors(step, self._judge(box_loss))

    def conditioning(self, box_loss: str) -> Errors:
        """Return the largest distances in float64 after a change of every weight by ``PERTURBATION``."""
        apart = []
        for seed in range(SEEDS):
            changed = TorchNetwork(self.net, self.images, self.targets, torch.float64, seed)
            apart.append(errors(changed.step(box_loss), self._judge(box_loss)))
            del changed
            gc.collect()
        return max(apart, key=lambda each: each.worst)

    def _judge(self, box_loss: str) -> Step:
        if box_loss not in self._right:
            self._right = {box_loss: self._networks[torch.float64].step(box_loss)}  # one at a time
        return self._right[box_loss]


def mxnet_step(net: DetectionNetwork, box_loss: str, images: np.ndarray, targets: np.ndarray) -> Step:
    """Return a step of the planned graphs of mxnet's engine."""
    step = TrainStep(net, [mx.cpu()], box_loss=box_loss)
    with autograd.record():
        maps = net(nd.array(images, dtype="uint8"))
        losses = list(step.loss(*maps, nd.array(targets)))
    autograd.backward(losses)
    nd.waitall()
    parameters = structural_parameters(net).items()
    gradients = {name: p.grad().asnumpy() for name, p in parameters if p.grad_req != "null"}
    return Step([raw.asnumpy() for raw in maps], [part.asnumpy() for part in losses], gradients)


class TorchNetwork:
    """A network's maps by PyTorch, and steps of different box losses from there.

    Args:
        net: the network.
        images: (B, H, W, 3).
        targets: (B, M, 12).
        dtype: of the computation.
        perturbed: seed of a change of every weight by ``PERTURBATION`` of itself; None leaves them.
    """

    def __init__(
        self,
        net: DetectionNetwork,
        images: np.ndarray,
        targets: np.ndarray,
        dtype: torch.dtype,
        perturbed: int | None = None,
    ):
        values, is_trained = arrays(net), trained_names(net).__contains__
        if perturbed is not None:
            rng = np.random.default_rng(perturbed)
            values = {n: v * (1 + PERTURBATION * rng.standard_normal(v.shape)) for n, v in values.items()}
        self.spec, self.targets = net.spec, torch.tensor(targets, dtype=dtype)
        self.module = graph_module(trace(net, ["pixels"]), values, is_trained, ["pixels"], dtype=dtype)
        self.maps = self.module(torch.from_numpy(images))

    def step(self, box_loss: str) -> Step:
        """Return the step of a box loss."""
        loss = make_loss(self.spec, box_loss)
        loss.initialize()
        names = [*(f"raw_{level}" for level in range(self.spec.num_levels)), "targets"]
        parts = block_module(loss, names, dtype=self.targets.dtype)(*self.maps, self.targets)
        parameters = dict(self.module.named_parameters())
        total = sum(part.sum() for part in parts)
        gradients = torch.autograd.grad(total, list(parameters.values()), retain_graph=True)
        return Step(
            [raw.detach().numpy() for raw in self.maps],
            [part.detach().numpy() for part in parts],
            {name: gradient.numpy() for name, gradient in zip(parameters, gradients)},
        )
