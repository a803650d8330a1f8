"""TrainStep: forward pass, losses, backward pass and update for one batch, on one or several devices."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.data.loading.collate import Batch
from gluon_yolo.evaluation.validation import block_predictor
from gluon_yolo.graph.cpu_layouts import without_mixed_blocks
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.losses import make_loss
from gluon_yolo.losses.distillation import DistillationLoss
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.models.layers import fuse_for_training
from gluon_yolo.mxnet_compat import autograd, mx, nd
from gluon_yolo.system.instructions import mxnet_has_avx512
from gluon_yolo.training.data_parallel import split_batch
from gluon_yolo.training.engine import NotFinite
from gluon_yolo.training.mxnet_engine.adamw import make_trainer
from gluon_yolo.training.mxnet_engine.average import MXNetAverage
from gluon_yolo.training.mxnet_engine.sgd import use_fast_kernels
from gluon_yolo.training.mxnet_engine.teacher import MXNetTeacher
from gluon_yolo.training.teacher import Teacher
from gluon_yolo.training.weight_average import Decay
from gluon_yolo.weights.load import structural_parameters

__all__ = ["NO_DECAY", "NotFinite", "TrainStep"]

NO_DECAY = (".gamma", ".beta", ".bias")
"""Endings of the parameters without weight decay under ``no_wd``."""


class TrainStep:
    """Trains a network by gradient descent, one batch at a time: mxnet's engine.

    It is an :class:`gluon_yolo.training.engine.Engine` whose weights are always those of the network.

    Args:
        net: initialized on all devices.
        contexts: the devices; a batch is divided evenly between them.
        momentum: of the optimizer.
        wd: weight decay.
        no_wd: no weight decay for biases and batch norms.
        label_smooth: as :func:`gluon_yolo.losses.make_loss` takes it.
        box_loss: as :func:`gluon_yolo.losses.make_loss` takes it.
        loss_scale: factor of the gradients in the backward pass, which the update divides by. It keeps small
            gradients of a float16 network from underflow.
        ema: how fast the moving average of the weights forgets; None keeps none.
        teacher: whose predictions on each batch are targets too; None is none.
        optimizer: ``sgd`` or ``adamw``.

    Attributes:
        average: the moving average of the weights, or None.
        loss: the loss of the network; its ``names`` are the names of the losses.

    Raises:
        UserError: the box loss does not suit the network.
        ValueError: ``loss_scale`` is not above 0.
    """

    def __init__(
        self,
        net: DetectionNetwork,
        contexts: Sequence[mx.Context],
        momentum: float = 0.9,
        wd: float = 0.0005,
        no_wd: bool = False,
        label_smooth: float = 0.0,
        box_loss: str = "auto",
        loss_scale: float = 1.0,
        ema: Decay | None = None,
        teacher: Teacher | None = None,
        optimizer: str = "sgd",
    ):
        if not 0 < loss_scale < float("inf"):
            raise ValueError(f"loss_scale: expected a number above 0, got {loss_scale}")
        self.net = net
        self.contexts = list(contexts)
        self.loss_scale = loss_scale
        self.loss = make_loss(net.spec, box_loss, label_smooth)
        self._teacher: MXNetTeacher | None = None
        if teacher is not None:
            self.loss = DistillationLoss(self.loss, net.spec, teacher.weight)
            self._teacher = MXNetTeacher(teacher.block, net.spec, self.contexts[0])
        self.loss.initialize(ctx=self.contexts)
        parameters = structural_parameters(net)
        trained = {p.name: p for p in parameters.values() if p.grad_req != "null"}
        # Two graphs: the number of objects changes from batch to batch, and then only the losses plan their
        # memory again.
        net.hybridize(static_alloc=True)
        make_training_graph(net, self.contexts[0])
        self.loss.hybridize()
        if no_wd:
            for name, parameter in parameters.items():
                if name.endswith(NO_DECAY):
                    parameter.wd_mult = 0.0
        self.trainer = make_trainer(
            trained,
            optimizer,
            momentum,
            wd,
            kvstore="device" if self.contexts[0].device_type == "gpu" else "local",
        )
        self.average = None if ema is None else MXNetAverage(net, ema)
        self.from_net()
        self._threads = [ThreadPoolExecutor(1) for _ in self.contexts[1:]]

    @property
    def loss_names(self) -> Sequence[str]:
        """The names of the losses."""
        return self.loss.names

    @property
    def devices(self) -> Sequence[str]:
        """The names of the devices that share a batch."""
        return [str(context) for context in self.contexts]

    def __call__(self, batch: Batch, learning_rate: float) -> np.ndarray:
        """Train on one batch.

        Args:
            batch: its size must be a multiple of the number of devices.
            learning_rate: of this step.

        Returns:
            The losses in the order of ``loss.names``, means over the images of the batch.

        Raises:
            NotFinite: a loss is not finite; nothing is changed.
        """
        soft = [self._teacher(batch.images)] if self._teacher else []
        parts = split_batch((batch.images, batch.targets, *soft), self.contexts)
        losses = self._on_each_device(self._forward, parts)
        numbers = np.concatenate([nd.stack(*part).asnumpy() for part in losses], axis=1).mean(axis=1)
        if not np.isfinite(numbers).all():
            raise NotFinite(batch, self.loss.names, numbers)
        self._on_each_device(self._backward, [(part,) for part in losses])
        self.trainer.set_learning_rate(learning_rate)
        self.trainer.step(len(batch.images) * self.loss_scale)
        if self.average:
            self.average.update(self.trainer.optimizer.num_update)
        return numbers

    def _forward(self, pixels: nd.NDArray, *targets: nd.NDArray) -> list[nd.NDArray]:
        """Return the losses of one device, each (B / D,), recorded for the backward pass."""
        with autograd.record():
            return list(self.loss(*self.net(pixels), *targets))

    def _backward(self, losses: list[nd.NDArray]) -> None:
        """Run the backward pass of one device, with gradients multiplied by ``loss_scale``."""
        autograd.backward(losses, [nd.full(loss.shape, self.loss_scale, ctx=loss.context) for loss in losses])

    def _on_each_device(self, function: Callable[..., Any], parts: Sequence[Sequence[Any]]) -> list[Any]:
        """Call ``function(*part)`` for the part of each device in turn, each device in its own thread.

        mxnet keeps temporary memory per calling thread, and CPU devices in one thread share it. A SyncBN
        layer then holds memory while it waits for the other device, which waits for this memory: a deadlock.
        """
        results = [function(*parts[0])]
        for thread, part in zip(self._threads, parts[1:]):
            results.append(thread.submit(function, *part).result())
        return results

    def is_finite(self) -> bool:
        """Return whether all parameters and statistics are finite."""
        arrays = map(parameter_io.array, structural_parameters(self.net).values())
        return all(np.isfinite(array).all() for array in arrays)

    def share_statistics(self) -> None:
        """Set each device's running statistics to their mean: the scored network is then the saved one."""
        if len(self.contexts) == 1:
            return
        for name, parameter in structural_parameters(self.net).items():
            if name.endswith((".running_mean", ".running_var")):
                copies = [copy.asnumpy() for copy in parameter.list_data()]
                parameter.set_data(nd.array(np.mean(copies, axis=0)))

    def averaged(self) -> contextlib.AbstractContextManager[None]:
        """Let the network have the averaged weights while the block runs; do nothing where there are none."""
        return self.average.in_place() if self.average else contextlib.nullcontext()

    def to_net(self) -> None:
        """Do nothing: the network and ``trainer`` are what is trained."""

    def from_net(self) -> None:
        """Continue with the optimizer of ``trainer``; the rest is what is trained."""
        if self.contexts[0].device_type == "cpu" and isinstance(self.trainer.optimizer, mx.optimizer.SGD):
            use_fast_kernels(self.trainer)

    def predictor(self, size_hw: tuple[int, int], **options: Any) -> Predictor:
        """Return a predictor of the network with its present weights, on the first device."""
        return block_predictor(self.net, size_hw, **options)


def make_training_graph(net: DetectionNetwork, context: mx.Context) -> None:
    """Make the graph that a hybridized network computes, in training and after it.

    The graph for training differs from the one for inference, which mxnet's CPU kernels cannot train. It is
    the graph of the first call, so it must be made before any call for inference.

    Args:
        net: initialized, hybridized, not yet called.
        context: that trains it.
    """
    on_cpu = context.device_type == "cpu"
    if on_cpu:
        fuse_for_training(net)
    with autograd.record():
        inputs, symbol = net._get_graph(nd.zeros((1, 1, 1, 3), dtype="uint8"))
    if on_cpu and mxnet_has_avx512():
        shapes = {parameter.name: parameter.shape for parameter in net.collect_params().values()}
        net._cached_graph = inputs, without_mixed_blocks(symbol, shapes)
