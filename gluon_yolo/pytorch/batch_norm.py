"""BatchNorm: batch normalisation with mxnet's running statistics, over the batch of one process or of all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gluon_yolo.pytorch.process_group import ProcessGroup
from gluon_yolo.torch_compat import Tensor, nn, torch


class BatchNorm(nn.Module):
    """Normalise a map (B, C, H, W) over batch, height and width.

    A forward pass in training does not change the running statistics. It keeps the batch's, which
    :func:`update_statistics` adds when the step is known to be finite; so a step that is given up leaves
    nothing behind, and nothing changes what a backward pass reads.

    mxnet's running variance is the mean square deviation, divided by the number n of values; that of
    ``torch.nn.BatchNorm2d`` is divided by n - 1.

    Args:
        eps: added to the variance.
        momentum: share of the old statistics.
        fix_gamma: whether the scale is 1.
        use_global_stats: normalise by the running statistics in training too, and keep them.
        sync: normalise over the batch of all processes in training.

    Attributes:
        processes: among which this one is; set by ``graph_module``.
        gamma, beta: (C,) scale and shift, parameters or, frozen, buffers; set by ``graph_module``.
        running_mean, running_var: (C,) buffers; likewise.
        of_batch: mean and variance (C,) of the last forward pass in training, one pair for each place in the
            graph where the layer stands.
    """

    gamma: Tensor
    beta: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        eps: float = 1e-3,
        momentum: float = 0.9,
        fix_gamma: bool = True,
        use_global_stats: bool = False,
        sync: bool = False,
    ) -> None:
        super().__init__()
        self.eps, self.momentum, self.fix_gamma = eps, momentum, fix_gamma
        self.use_global_stats, self.sync = use_global_stats, sync
        self.processes = ProcessGroup()
        self.of_batch: dict[int, tuple[Tensor, Tensor]] = {}

    def forward(self, x: Tensor, use: int = 0) -> Tensor:
        """Return the normalised map.

        Args:
            x: the map.
            use: number of the place in the graph, among those of this layer.
        """
        gamma = torch.ones_like(self.gamma) if self.fix_gamma else self.gamma
        if not self.training or self.use_global_stats:
            return _normalized(x, gamma, self.beta, self.running_mean, self.running_var, self.eps)
        if self.sync and self.processes.world > 1:
            y, mean, variance = _OverProcesses.apply(x, gamma, self.beta, self.eps, self.processes)
        else:
            # Arrays of its own, which take the batch's statistics whole (momentum 1): torch keeps what it
            # updates for the backward pass.
            mean, variance = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
            y = torch.batch_norm(
                x, gamma, self.beta, mean, variance, True, 1.0, self.eps, torch.backends.cudnn.enabled
            )
            n = x.numel() // x.shape[1]
            variance = variance * ((n - 1) / n) if n > 1 else torch.zeros_like(variance)
        if y.requires_grad:  # mxnet adds them in the backward pass
            self.of_batch[use] = (mean, variance)
        return y


def batch_norms(module: nn.Module) -> Iterator[BatchNorm]:
    """Return the layers of a module."""
    return (layer for layer in module.modules() if isinstance(layer, BatchNorm))


@torch.no_grad()
def update_statistics(module: nn.Module) -> None:
    """Add the statistics of the last forward pass in training to the running ones, of all layers at once.

    Those of a layer that stands at several places are added from the last place to the first, as in mxnet,
    whose backward pass adds them.
    """
    waiting: dict[tuple[int, float], list[BatchNorm]] = {}
    for layer in batch_norms(module):
        for use in layer.of_batch:
            waiting.setdefault((use, layer.momentum), []).append(layer)
    for use, momentum in sorted(waiting, reverse=True):
        layers = waiting[use, momentum]
        running = [array for layer in layers for array in (layer.running_mean, layer.running_var)]
        of_batch = [array for layer in layers for array in layer.of_batch[use]]
        torch._foreach_lerp_(running, of_batch, 1 - momentum)
    forget_statistics(module)


def forget_statistics(module: nn.Module) -> None:
    """Drop the statistics of the last forward pass."""
    for layer in batch_norms(module):
        layer.of_batch.clear()


def _normalized(x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor, eps: float) -> Tensor:
    return torch.batch_norm(x, gamma, beta, mean, variance, False, 0.0, eps, torch.backends.cudnn.enabled)


class _OverProcesses(torch.autograd.Function):
    """Normalisation over the batches of all processes, whose shares may differ, on any device and backend.

    One message each way. Forward: count, mean and sum of squared deviations of each process, joined without
    cancellation (Chan, Golub & LeVeque 1979). Backward: the two sums over the batch of which the gradient of
    the input is made. The gradients of scale and shift are this process's part, as those of all parameters.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, gamma: Tensor, beta: Tensor, eps: float, processes: ProcessGroup
    ) -> tuple[Tensor, Tensor, Tensor]:
        wide = x.to(gamma.dtype)  # autocast: statistics of half precision
        n = wide.numel() // wide.shape[1]
        if n:
            own_variance, own_mean = torch.var_mean(wide, (0, 2, 3), correction=0)
        else:
            own_variance, own_mean = torch.zeros_like(gamma), torch.zeros_like(gamma)
        moments = processes.gather(torch.cat([own_mean.new_full((1,), n), own_mean, own_variance * n]))
        counts, (means, squares) = moments[:, :1], moments[:, 1:].chunk(2, 1)
        total = counts.sum()
        mean = (counts * means).sum(0) / total
        variance = (squares + counts * (means - mean).square()).sum(0) / total
        ctx.save_for_backward(x, gamma, mean, (variance + eps).rsqrt(), total)
        ctx.processes = processes
        ctx.mark_non_differentiable(mean, variance)
        return _normalized(x, gamma, beta, mean, variance, eps), mean, variance

    @staticmethod
    def backward(
        ctx: Any, dy: Tensor, _mean: Tensor, _variance: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, None, None]:
        x, gamma, mean, inverse_deviation, total = ctx.saved_tensors
        wide = dy.to(gamma.dtype)
        normal = (x.to(gamma.dtype) - _by_channel(mean)) * _by_channel(inverse_deviation)
        own = torch.cat([wide.sum((0, 2, 3)), (wide * normal).sum((0, 2, 3))])
        beta_gradient, gamma_gradient = own.chunk(2)
        of_all, of_normal = (ctx.processes.sum_(own.clone()) / total).chunk(2)
        dx = wide - _by_channel(of_all) - normal * _by_channel(of_normal)
        dx = dx * _by_channel(gamma * inverse_deviation)
        return dx.to(x.dtype), gamma_gradient, beta_gradient, None, None


def _by_channel(values: Tensor) -> Tensor:
    return values[:, None, None]
