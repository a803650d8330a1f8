"""Values and gradients of a loss."""

from __future__ import annotations

import numpy as np

from gluon_yolo.mxnet_compat import autograd, nd


def losses_and_gradients(loss, maps, targets, hybridize: bool, *more) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the losses, one row (B,) for each of its names, and the gradients of the raw maps.

    ``more`` are inputs of the loss behind the targets.
    """
    loss.initialize()
    if hybridize:
        loss.hybridize()
    arrays = [nd.array(raw) for raw in maps]
    for array in arrays:
        array.attach_grad()
    with autograd.record():
        parts = loss(*arrays, *map(nd.array, (targets, *more)))
    autograd.backward(list(parts))
    return np.stack([part.asnumpy() for part in parts]), [array.grad.asnumpy() for array in arrays]
