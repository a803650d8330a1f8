"""TorchStep: the training step computed by PyTorch, on the device of this process: torch's engine."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gluon_yolo.data.loading.collate import Batch
from gluon_yolo.errors import SettingError
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.inference.runtimes.torch import TorchRuntime
from gluon_yolo.losses import make_loss
from gluon_yolo.losses.distillation import DistillationLoss
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.pytorch.batch_norm import batch_norms, forget_statistics, update_statistics
from gluon_yolo.pytorch.gradient_sum import GradientSum
from gluon_yolo.pytorch.module import block_module
from gluon_yolo.text import first_line
from gluon_yolo.torch_compat import Tensor, nn, torch
from gluon_yolo.training.engine import NotFinite
from gluon_yolo.training.mxnet_engine.adamw import AdamW as GluonAdamW
from gluon_yolo.training.mxnet_engine.adamw import make_trainer
from gluon_yolo.training.mxnet_engine.step import NO_DECAY
from gluon_yolo.training.processes.base import Processes
from gluon_yolo.training.teacher import Teacher
from gluon_yolo.training.torch_engine import state
from gluon_yolo.training.torch_engine.adamw import AdamW
from gluon_yolo.training.torch_engine.average import TorchAverage
from gluon_yolo.training.torch_engine.precision import set_switches
from gluon_yolo.training.torch_engine.sgd import SGD
from gluon_yolo.training.torch_engine.teacher import TorchTeacher
from gluon_yolo.training.weight_average import Decay
from gluon_yolo.weights.load import structural_parameters

_PIXELS, _TARGETS, _SOFT, _RAW_MAP = "pixels", "targets", "soft", "raw_{}"


class TorchStep:
    """Trains a Gluon network by PyTorch: an :class:`gluon_yolo.training.engine.Engine`.

    It reads the graphs of the network and of the losses once, and computes them by modules with copies of the
    weights. The Gluon network and ``trainer`` get the state in :meth:`to_net`.

    Args:
        net: initialized on the CPU, with its starting weights; what is frozen stays a constant.
        device: torch's name of it.
        momentum: of the optimizer.
        wd: weight decay.
        no_wd: no weight decay for biases and batch norms.
        label_smooth: as :func:`gluon_yolo.losses.make_loss` takes it.
        box_loss: as :func:`gluon_yolo.losses.make_loss` takes it.
        loss_scale: factor of the gradients in the backward pass, which the update divides by.
        precision: of the network in training: ``float32``, ``tf32`` or ``bfloat16``; weights, losses and
            validation are float32.
        compiled: whether torch compiles network and losses, in the first steps.
        deterministic: whether a GPU is to give the same bits in every run.
        processes: which train together; each has a share of the batch.
        ema: how fast the moving average of the weights forgets; None keeps none.
        optimizer: ``sgd`` or ``adamw``.
        seed: of the random numbers of a step (dropout); a resumed training goes on with the same ones.
        dtype: of weights and arithmetic; float64 is for tests.
        teacher: whose predictions on each batch are targets too; None is none.

    Attributes:
        average: the moving average of the weights, or None.
        module: the network.
        loss: the Gluon block of the losses; its ``names`` are the names of the losses.
        trainer: the optimizer in gluon's form.
        optimizer: the optimizer.

    Raises:
        UserError: the box loss does not suit the network, or torch has no counterpart of an operator.
        ValueError: ``loss_scale`` is not above 0.
    """

    def __init__(
        self,
        net: DetectionNetwork,
        device: str = "cpu",
        momentum: float = 0.9,
        wd: float = 0.0005,
        no_wd: bool = False,
        label_smooth: float = 0.0,
        box_loss: str = "auto",
        loss_scale: float = 1.0,
        precision: str = "float32",
        compiled: bool = False,
        deterministic: bool = False,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        processes: Processes | None = None,
        ema: Decay | None = None,
        teacher: Teacher | None = None,
        optimizer: str = "sgd",
    ):
        if not 0 < loss_scale < float("inf"):
            raise ValueError(f"loss_scale: expected a number above 0, got {loss_scale}")
        set_switches(precision, deterministic)
        self.net = net
        self.device = torch.device(device)
        self.loss_scale = loss_scale
        self._bfloat16 = precision == "bfloat16"
        self._dtype, self._seed, self._no_wd = dtype, seed, no_wd
        self.loss = make_loss(net.spec, box_loss, label_smooth)
        self._teacher: TorchTeacher | None = None
        if teacher is not None:
            self.loss = DistillationLoss(self.loss, net.spec, teacher.weight)
            self._teacher = TorchTeacher(teacher.block, net.spec, self.device, dtype, compiled)
        self.loss.initialize()
        self.processes = processes or Processes()
        self._group = self.processes.group(device)
        self.module = block_module(net, [_PIXELS], self._group, dtype).to(self.device)
        self.module = self.module.to(memory_format=torch.channels_last)
        inputs = [*map(_RAW_MAP.format, range(net.spec.num_levels)), _TARGETS, *([_SOFT] if teacher else [])]
        losses = block_module(self.loss, inputs, dtype=dtype).to(self.device)
        self._network: Any = torch.compile(self.module) if compiled else self.module
        self._losses: Any = torch.compile(losses, dynamic=True) if compiled else losses
        self._group.broadcast_(self.module.state_dict().values())  # drawn or read by each process itself
        self.average = None if ema is None else TorchAverage(net, self.module, ema)
        self._gradients = GradientSum(self.module.parameters(), self._group)
        self._has_dropout = any(isinstance(layer, nn.Dropout) for layer in self.module.modules())
        trained = {p.name: p for p in structural_parameters(net).values() if p.grad_req != "null"}
        self.trainer = make_trainer(trained, optimizer, momentum, wd, kvstore="local")
        self.optimizer = self._new_optimizer()
        self._updates = 0
        self._is_ahead = False

    @property
    def loss_names(self) -> Sequence[str]:
        """The names of the losses."""
        return self.loss.names

    @property
    def devices(self) -> Sequence[str]:
        """The name of the device."""
        return [str(self.device)]

    def __call__(self, batch: Batch, learning_rate: float) -> np.ndarray:
        """Train on one batch.

        The only wait for a GPU is for the losses, before the backward pass is started.

        Args:
            batch: this process's share of it, of one size in all processes.
            learning_rate: of this step.

        Returns:
            The losses in the order of ``loss_names``, means over the images of the whole batch.

        Raises:
            NotFinite: a loss is not finite in a process; nothing is changed in any.
        """
        self.module.train()
        if self._has_dropout:
            drawn = (self._seed * 1_000_003 + self._updates) * self._group.world + self._group.rank
            torch.manual_seed(drawn % 2**63)
        with _compiling():
            losses = self._forward(self._on_device(batch.images), batch)
        numbers, learning_rate = self.processes.agreed(losses, learning_rate)
        if not np.isfinite(numbers).all():
            forget_statistics(self.module)
            is_bad = not bool(torch.isfinite(losses.mean(dim=1)).all())
            names = self.processes.names_of(batch.names, is_bad)
            raise NotFinite(dataclasses.replace(batch, names=names), self.loss_names, numbers)
        losses.backward(torch.full_like(losses, self.loss_scale))
        self._gradients.finish()
        self.trainer.set_learning_rate(learning_rate)
        images = len(batch.images) * self._group.world
        scale = self.trainer._scale / (images * self.loss_scale)
        self.trainer.optimizer.rescale_grad = scale
        self.optimizer.step(learning_rate, scale)
        update_statistics(self.module)
        self._updates += 1
        if self.average:
            self.average.update(self._updates)
        self._is_ahead = True
        return numbers

    def _on_device(self, array: np.ndarray) -> Tensor:
        """Return an array on the device; a GPU copies it while this process goes on."""
        tensor = torch.from_numpy(array)
        if self.device.type == "cpu":
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def _forward(self, pixels: Tensor, batch: Batch) -> Tensor:
        """Return the losses (L, B) of a batch; on a GPU, soft targets are made while it computes the maps."""
        started = self._teacher.start(pixels) if self._teacher else None
        targets = [self._on_device(batch.targets)]
        narrow = (
            torch.autocast(self.device.type, torch.bfloat16) if self._bfloat16 else contextlib.nullcontext()
        )
        with narrow:
            maps = self._network(pixels)
        if self._teacher and started:
            targets.append(self._on_device(self._teacher.finish(started, batch.size_hw)))
        return torch.stack(self._losses(*(each.to(self._dtype) for each in (*maps, *targets))))

    def is_finite(self) -> bool:
        """Return whether all parameters and statistics are finite."""
        return all(bool(torch.isfinite(each).all()) for each in self.module.state_dict().values())

    def share_statistics(self) -> None:
        """Set each process's running statistics to their mean."""
        if self._group.world == 1:
            return
        for layer in batch_norms(self.module):
            for statistics in (layer.running_mean, layer.running_var):
                self._group.sum_(statistics).div_(self._group.world)
        if self.average:
            self.average.share_statistics(self._group)
        self._is_ahead = True

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the module have the averaged weights while the block runs; do nothing where there are none."""
        if self.average is None:
            yield
            return
        try:
            with self.average.in_place():
                self._is_ahead = True
                yield
        finally:
            self._is_ahead = True

    def to_net(self) -> None:
        """Set the Gluon network and ``trainer`` to the present weights, statistics and velocities."""
        if self._is_ahead:
            state.to_net(self.net, self.module)
            state.to_trainer(self.net, self.trainer, self.optimizer, self._updates)
            self._is_ahead = False

    def from_net(self) -> None:
        """Continue with the weights, statistics and velocities of the Gluon network and of ``trainer``."""
        state.from_net(self.net, self.module)
        self.optimizer = self._new_optimizer()
        self._updates = state.from_trainer(self.net, self.trainer, self.optimizer)
        self._is_ahead = False

    def _new_optimizer(self) -> state.Optimizer:
        """Return the optimizer with the settings of ``trainer`` and without its states."""
        parameters = dict(self.module.named_parameters())
        no_decay = [name for name in parameters if self._no_wd and name.endswith(NO_DECAY)]
        settings = self.trainer.optimizer
        if isinstance(settings, GluonAdamW):
            return AdamW(parameters, settings.beta1, settings.wd, no_decay)
        return SGD(parameters, settings.momentum, settings.wd, no_decay)

    def predictor(self, size_hw: tuple[int, int], **options: Any) -> Predictor:
        """Return a predictor with a copy of the module and its present weights, on the engine's device."""
        gpu = self.device.index if self.device.type == "cuda" else None
        options = {"name": self.net.zoo_name, "gpu": gpu, **options}
        network = TorchRuntime(copy.deepcopy(self.module), self.net.spec, gpu)
        return Predictor(network, self.net.spec, size_hw, runtime="torch", **options)


@contextlib.contextmanager
def _compiling() -> Iterator[None]:
    """Turn an error of torch.compile, for example that there is no C++ compiler, into a SettingError."""
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        reason = first_line(error).rstrip(".")
        raise SettingError(
            f"{{compile}}: torch.compile cannot compile it here: {reason}; leave it out"
        ) from error
