"""SGD: stochastic gradient descent in PyTorch, by the formula of mxnet's ``sgd_mom_update``.

::

    mxnet:  v = momentum * v - rate * (gradient + wd * weight);    weight = weight + v
    torch:  b = momentum * b + (gradient + wd * weight);           weight = weight - rate * b

The two agree while the rate stays. mxnet's velocity contains the rates of earlier steps, torch's takes the
present rate for all of them: ``torch.optim.SGD`` gives other weights in a warm-up and after each decay.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gluon_yolo.torch_compat import torch


class SGD:
    """Updates parameters, all of them in a few calls.

    Args:
        parameters: by name.
        momentum: share of the velocity that a step keeps; 0 needs no velocities.
        wd: weight decay.
        no_decay: names of parameters without weight decay.

    Attributes:
        velocities: by the name of the parameter; empty where ``momentum`` is 0.
        updates: not counted here, where no formula needs it; AdamW's does.
    """

    updates = 0

    def __init__(
        self,
        parameters: Mapping[str, torch.nn.Parameter],
        momentum: float,
        wd: float,
        no_decay: Collection[str] = (),
    ) -> None:
        self.momentum = momentum
        self.wd = wd
        self._parameters = list(parameters.values())
        self._decayed = [place for place, name in enumerate(parameters) if wd and name not in no_decay]
        self.velocities: dict[str, torch.Tensor] = {}
        if momentum:
            self.velocities = {name: torch.zeros_like(each) for name, each in parameters.items()}

    @property
    def states(self) -> dict[str, tuple[torch.Tensor, ...]]:
        """The velocity of each parameter, by its name, in the form of all optimizers."""
        return {name: (velocity,) for name, velocity in self.velocities.items()}

    @torch.no_grad()
    def step(self, learning_rate: float, scale: float = 1.0) -> None:
        """Update every parameter by its gradient, and drop the gradients.

        Args:
            learning_rate: of this step.
            scale: factor of the gradients.
        """
        weights, gradients = self._parameters, [each.grad for each in self._parameters]
        decayed = [weights[place] for place in self._decayed]
        if self.momentum:
            velocities: list[Any] = list(self.velocities.values())
            torch._foreach_mul_(velocities, self.momentum)
        else:
            velocities = [torch.zeros_like(each) for each in weights]
        torch._foreach_add_(velocities, gradients, alpha=-learning_rate * scale)
        if decayed:
            changed = [velocities[place] for place in self._decayed]
            torch._foreach_add_(changed, decayed, alpha=-learning_rate * self.wd)
        torch._foreach_add_(weights, velocities)
        for each in weights:
            each.grad = None
