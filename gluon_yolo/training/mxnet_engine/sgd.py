"""SGD on a CPU: the same updates as mxnet's, by the faster of its two kernels for each parameter."""

from __future__ import annotations

import copyreg
from typing import Any

from gluon_yolo.mxnet_compat import gluon, mx, nd
from gluon_yolo.training.mxnet_engine.calls import LARGE


def use_fast_kernels(trainer: gluon.Trainer) -> None:
    """Let a trainer's SGD update its parameters by :class:`SGD`, with its present state and settings."""
    trainer.optimizer.__class__ = SGD


class SGD(mx.optimizer.SGD):
    """mxnet's SGD, which updates large parameters one by one.

    In a checkpoint it is mxnet's own, so that other programs can read it.
    """

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Return how to restore it from a file: as mxnet's class, with the same state."""
        # The form of pickle's protocol 0: newer forms insist on the present class.
        return copyreg._reconstructor, (mx.optimizer.SGD, object, None), self.__getstate__()  # type: ignore[attr-defined]

    def _update_impl(
        self, indices: Any, weights: Any, grads: Any, states: Any, multi_precision: bool = False
    ) -> None:
        """Update parameters, given as mxnet's class takes them: each one thing, or a list of things."""
        if not isinstance(indices, (tuple, list)):
            indices, weights, grads, states = [indices], [weights], [grads], [states]
        apart = self.momentum > 0 and not multi_precision
        large = [place for place, weight in enumerate(weights) if apart and weight.size >= LARGE]
        small = [place for place in range(len(weights)) if place not in large]
        if small:
            super()._update_impl(
                *([each[place] for place in small] for each in (indices, weights, grads, states)),
                multi_precision,
            )
        for place in large:
            self._update_one(*(each[place] for each in (indices, weights, grads, states)))

    def _update_one(self, index: int, weight: nd.NDArray, gradient: nd.NDArray, state: nd.NDArray) -> None:
        self._update_count(index)
        nd.sgd_mom_update(
            weight,
            gradient,
            state,
            out=weight,
            lr=self._get_lr(index),
            wd=self._get_wd(index),
            momentum=self.momentum,
            rescale_grad=self.rescale_grad,
            clip_gradient=self.clip_gradient or -1.0,
        )
