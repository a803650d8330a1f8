"""Maps, losses and gradients of a network by both engines, against PyTorch's in float64."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.graph.trace import arrays, trace, trained_names
from gluon_yolo.losses import make_loss
from gluon_yolo.losses.terms import choose_box_loss
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.models.layers import hold_statistics
from gluon_yolo.mxnet_compat import autograd, gluon, mx, nd
from gluon_yolo.pytorch.module import block_module, graph_module
from gluon_yolo.spec import BOX_LOSSES, DetectionSpec
from gluon_yolo.torch_compat import torch
from gluon_yolo.training.step import TrainStep
from gluon_yolo.weights.load import structural_parameters
from tests.float64 import difference
from tests.judged_networks import batch_norms, drawn, find, keep_everything, make_batch, trained

ENGINES = ("mxnet", "torch")
PERTURBATION = 1e-7


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


def box_losses(spec: DetectionSpec) -> list[str]:
    """Return the box losses that fit a network."""
    found = []
    for name in BOX_LOSSES:
        try:
            found.append(choose_box_loss(spec, name))
        except UserError:
            continue
    return list(dict.fromkeys(found))


def errors(step: Step, right: Step) -> Errors:
    """Return the distances of a step from the right one."""
    maps = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(step.maps, right.maps))
    losses = float(np.abs(np.subtract(step.losses, right.losses)).max() / np.abs(right.losses).max())
    return Errors(maps, losses, *difference(step.gradients, right.gradients))


def judged(
    name: str, data: Path, kind: str, size_hw: tuple[int, int], losses: list[str] | None = None
) -> Iterator[tuple[str, dict[str, Errors]]]:
    """Yield each box loss with the distances from float64 of both engines, and of a perturbed network.

    Args:
        name: of the table of :mod:`tests.judged_networks`.
        data: the shared data.
        kind: ``trained`` weights, or ``drawn`` ones; batch norms are held by the stored statistics.
        size_hw: of the two images.
        losses: box losses; None takes all that fit.
    """
    found, own = find(name, data)
    net = found.build()
    images, targets = make_batch(net.spec, size_hw, data)
    drawn(net, images) if kind == "drawn" else trained(net, own)
    for norm in batch_norms(net):
        hold_statistics(norm)
    keep_everything(net)
    for box_loss in losses or box_losses(net.spec):
        loss = make_loss(net.spec, box_loss)
        loss.initialize()
        right = torch_step(net, loss, images, targets, torch.float64)
        yield (
            box_loss,
            {
                "mxnet": errors(mxnet_step(net, box_loss, images, targets), right),
                "torch": errors(torch_step(net, loss, images, targets, torch.float32), right),
                "perturbed": errors(
                    torch_step(net, loss, images, targets, torch.float64, PERTURBATION), right
                ),
            },
        )
        gc.collect()


def mxnet_step(net: DetectionNetwork, box_loss: str, images: np.ndarray, targets: np.ndarray) -> Step:
    """Return a step of the planned graphs of mxnet's engine."""
    step = TrainStep(net, [mx.cpu()], box_loss=box_loss)
    with autograd.record():
        maps = net(nd.array(images, dtype="uint8"))
        losses = list(step.loss(*maps, nd.array(targets)))
    autograd.backward(losses)
    nd.waitall()
    parameters = structural_parameters(net).items()
    gradients = {name: p.grad().asnumpy().astype(float) for name, p in parameters if p.grad_req != "null"}
    return Step([raw.asnumpy() for raw in maps], [part.asnumpy() for part in losses], gradients)


def torch_step(
    net: DetectionNetwork,
    loss: gluon.HybridBlock,
    images: np.ndarray,
    targets: np.ndarray,
    dtype: torch.dtype,
    perturbation: float = 0,
) -> Step:
    """Return a step of PyTorch, whose weights may be changed by a part of themselves at random."""
    rng, values = np.random.default_rng(0), arrays(net)
    if perturbation:
        values = {n: v * (1 + perturbation * rng.standard_normal(v.shape)) for n, v in values.items()}
    module = graph_module(
        trace(net, ["pixels"]), values, trained_names(net).__contains__, ["pixels"], dtype=dtype
    )
    names = [*(f"raw_{level}" for level in range(net.spec.num_levels)), "targets"]
    maps = module(torch.from_numpy(images))
    losses = block_module(loss, names, dtype=dtype)(*maps, torch.tensor(targets, dtype=dtype))
    sum(part.sum() for part in losses).backward()
    return Step(
        [raw.detach().numpy() for raw in maps],
        [part.detach().numpy() for part in losses],
        {name: p.grad.numpy().astype(float) for name, p in module.named_parameters()},
    )
