"""GradientSum: the gradients of all processes added up, while the backward pass goes on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gluon_yolo.pytorch.process_group import ProcessGroup
from gluon_yolo.torch_compat import Tensor, nn, torch

_FIRST_BYTES, _BYTES = 1 << 20, 25 << 20  # of a bucket; the first one is soon full


class GradientSum:
    """Replaces the gradient of each parameter by its sum over the processes.

    Gradients are joined in buckets, in the order in which a backward pass makes them: the last parameter's
    first. A full bucket is sent at once. The buckets never change, so the order in which numbers are added
    does not either: a resumed training gives the same bits. (``DistributedDataParallel`` makes its buckets
    anew after the first step, which changes that order where there are more than two processes.)

    Args:
        parameters: what is trained, on this process's device, in the network's order.
        processes: whose gradients are added. Of one process alone, nothing is done.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], processes: ProcessGroup) -> None:
        self._processes = processes
        self._buckets: list[list[nn.Parameter]] = []
        self._bucket_of: dict[nn.Parameter, int] = {}
        self._missing: list[int] = []
        self._sums: list[tuple[Tensor, Any]] = []
        if processes.world == 1:
            return
        size, limit = _FIRST_BYTES, 0
        for parameter in reversed(list(parameters)):
            needed = parameter.numel() * parameter.element_size()
            if size + needed > limit:
                limit = _FIRST_BYTES if not self._buckets else _BYTES
                self._buckets.append([])
                size = 0
            size += needed
            self._bucket_of[parameter] = len(self._buckets) - 1
            self._buckets[-1].append(parameter)
            parameter.register_post_accumulate_grad_hook(self._is_made)
        self._begin()

    def _begin(self) -> None:
        self._missing = [len(bucket) for bucket in self._buckets]
        self._sums = []

    def _is_made(self, parameter: Tensor) -> None:
        """Note that a gradient is complete, and send the buckets whose turn has come."""
        self._missing[self._bucket_of[parameter]] -= 1
        while len(self._sums) < len(self._buckets) and not self._missing[len(self._sums)]:
            self._send(self._buckets[len(self._sums)])

    def _send(self, bucket: list[nn.Parameter]) -> None:
        flat = torch.cat([_flat(parameter) for parameter in bucket])
        self._sums.append((flat, self._processes.sum_later(flat)))

    def finish(self) -> None:
        """Wait for the sums, and set the gradients to them; called after each backward pass."""
        while len(self._sums) < len(self._buckets):  # a parameter that a backward pass did not reach
            self._send(self._buckets[len(self._sums)])
        for bucket, (flat, sending) in zip(self._buckets, self._sums):
            sending.wait()
            parts = flat.split([parameter.numel() for parameter in bucket])
            for parameter, part in zip(bucket, parts):
                parameter.grad = _like(parameter, part)
        self._begin()


def _flat(parameter: nn.Parameter) -> Tensor:
    """Return a parameter's gradient (n,), in the order of the parameter's memory."""
    gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
    return (gradient.permute(0, 2, 3, 1) if _has_channels_last(parameter) else gradient).reshape(-1)


def _like(parameter: nn.Parameter, flat: Tensor) -> Tensor:
    """Return what :func:`_flat` made (n,), in the parameter's shape and layout; nothing is copied."""
    if not _has_channels_last(parameter):
        return flat.view_as(parameter)
    outputs, inputs, height, width = parameter.shape
    return flat.view(outputs, height, width, inputs).permute(0, 3, 1, 2)


def _has_channels_last(parameter: nn.Parameter) -> bool:
    return parameter.dim() == 4 and parameter.is_contiguous(memory_format=torch.channels_last)
