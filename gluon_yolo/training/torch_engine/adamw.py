"""AdamW in PyTorch, by the formula of ``mxnet_engine/adamw.py``, for gradients that a factor scales."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from gluon_yolo.torch_compat import Tensor, torch
from gluon_yolo.training.mxnet_engine.adamw import BETA2, EPSILON


class AdamW:
    """Updates parameters, all of them in a few calls.

    Args:
        parameters: by name.
        beta1: share of the mean gradient that an update keeps.
        wd: weight decay.
        no_decay: names of parameters without weight decay.

    Attributes:
        states: mean and mean square of the gradients, by the name of the parameter.
        updates: the number of updates so far.
    """

    def __init__(
        self,
        parameters: Mapping[str, torch.nn.Parameter],
        beta1: float,
        wd: float,
        no_decay: Collection[str] = (),
    ) -> None:
        self.beta1, self.wd, self.updates = beta1, wd, 0
        self._parameters = list(parameters.values())
        self._decayed = [each for name, each in parameters.items() if wd and name not in no_decay]
        self.states: dict[str, tuple[Tensor, ...]] = {
            name: (torch.zeros_like(each), torch.zeros_like(each)) for name, each in parameters.items()
        }

    @torch.no_grad()
    def step(self, learning_rate: float, scale: float = 1.0) -> None:
        """Update every parameter by its gradient, and drop the gradients.

        Args:
            learning_rate: of this step.
            scale: factor of the gradients.
        """
        self.updates += 1
        first, second = 1 - self.beta1**self.updates, 1 - BETA2**self.updates
        means: list[Any] = [mean for mean, _ in self.states.values()]
        squares: list[Any] = [square for _, square in self.states.values()]
        gradients = torch._foreach_mul([each.grad for each in self._parameters], scale)
        torch._foreach_lerp_(means, gradients, 1 - self.beta1)
        torch._foreach_mul_(squares, BETA2)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - BETA2)
        divisors = torch._foreach_sqrt(squares)
        torch._foreach_add_(divisors, EPSILON * math.sqrt(second))
        if self._decayed:
            torch._foreach_mul_(self._decayed, 1 - learning_rate * self.wd)
        torch._foreach_addcdiv_(self._parameters, means, divisors, -learning_rate * math.sqrt(second) / first)
        for each in self._parameters:
            each.grad = None
