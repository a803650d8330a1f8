"""Clip gradients: shorten what torch's engine updates by."""

from __future__ import annotations

from collections.abc import Iterable

from gluon_yolo.torch_compat import nn, torch


@torch.no_grad()
def clip_gradients(parameters: Iterable[nn.Parameter], most: float) -> None:
    """Shorten all gradients together to a Euclidean norm of ``most``, without a wait for a GPU.

    ``torch.nn.utils.clip_grad_norm_`` adds 1e-6 to the norm, by which mxnet's engine would differ.
    """
    gradients = [each.grad for each in parameters if each.grad is not None]
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    torch._foreach_mul_(gradients, (most / norm).clamp(max=1.0))
