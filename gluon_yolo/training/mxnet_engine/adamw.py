"""AdamW for mxnet 1.9, which has its kernels and no optimizer of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon_yolo.mxnet_compat import gluon, mx, nd
from gluon_yolo.training.mxnet_engine.calls import LARGE, groups

BETA2, EPSILON = 0.999, 1e-8


def make_trainer(
    parameters: Any, optimizer: str, momentum: float, wd: float, **options: Any
) -> gluon.Trainer:
    """Return a gluon trainer, with a learning rate of 0.

    Args:
        parameters: by name.
        optimizer: ``sgd`` or ``adamw``.
        momentum: of the optimizer; AdamW's is its beta1.
        wd: weight decay.
        **options: of the trainer.
    """
    if optimizer == "sgd":
        settings = {"learning_rate": 0.0, "momentum": momentum, "wd": wd}
        return gluon.Trainer(parameters, "sgd", settings, **options)
    return gluon.Trainer(parameters, AdamW(momentum, wd), **options)


class AdamW(mx.optimizer.Optimizer):
    """Adam with decoupled weight decay, by the formula of PyTorch's.

    Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019, algorithm 2; t counts the updates::

        m = beta1 * m + (1 - beta1) * gradient
        v = beta2 * v + (1 - beta2) * gradient ** 2
        weight = weight - rate * (m / (1 - beta1 ** t) / (sqrt(v / (1 - beta2 ** t)) + epsilon) + wd * weight)

    Args:
        beta1: share of the mean gradient that an update keeps.
        wd: weight decay.
    """

    def __init__(self, beta1: float, wd: float) -> None:
        super().__init__(learning_rate=0.0, wd=wd)
        self.beta1 = beta1
        self.aggregate_num = 1_000_000  # all parameters come in one call

    def create_state(self, index: int, weight: nd.NDArray) -> tuple[nd.NDArray, nd.NDArray]:
        """Return the mean and the mean square of the gradients of a parameter, 0 at first."""
        return nd.zeros_like(weight), nd.zeros_like(weight)

    def update(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """Update parameters, all of them in the same number of updates.

        Args:
            index: sequence of the parameters' numbers.
            weight: sequence of their arrays.
            grad: sequence of their gradients.
            state: sequence of what :meth:`create_state` made.
        """
        self._update_count(index)
        factors = self._factors(self._index_update_count[index[0]])
        scale = nd.full((1,), self.rescale_grad, ctx=weight[0].context)
        small = []
        for row in zip(weight, grad, state, self._get_lrs(index), self._get_wds(index)):
            each, gradient, (mean, square), rate, decay = row
            if each.size < LARGE:
                small.append(row)
                continue
            nd.contrib.adamw_update(
                each, gradient, mean, square, scale, eta=rate, wd=decay, out=each, **factors
            )
        for rows in groups(small):
            self._update_small(rows, scale, **factors)

    def update_multi_precision(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """Update parameters; all are float32."""
        self.update(index, weight, grad, state)

    def _factors(self, updates: int) -> dict[str, float]:
        """Return what the kernels take, which is one for all parameters, in an update of a number from 1.

        They compute ``weight - eta * (lr * m / (sqrt(v) + epsilon) + wd * weight)``.
        """
        # Their betas are float32, where 1 - 0.999 is smaller by 0.000013 of itself.
        first, second = (1 - float(np.float32(beta)) ** updates for beta in (self.beta1, BETA2))
        root = math.sqrt(second)
        return {"lr": root / first, "epsilon": EPSILON * root, "beta1": self.beta1, "beta2": BETA2}

    @staticmethod
    def _update_small(
        rows: Sequence[tuple[Any, ...]], scale: nd.NDArray, lr: float, **factors: float
    ) -> None:
        """Update several small parameters by one call, whose kernel rounds more than that for one."""
        weights, gradients, states, rates, decays = map(list, zip(*rows))
        nd.contrib.multi_adamw_update(
            weights,
            gradients,
            [mean for mean, _ in states],
            [square for _, square in states],
            scale,
            lrs=[lr] * len(rows),
            wds=decays,
            etas=rates,
            out=weights,
            **factors,
        )
