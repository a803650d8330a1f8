"""MXNetGradients: the gradients of mxnet's engine, summed over batches, and shortened where too long."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gluon_yolo.mxnet_compat import gluon, nd
from gluon_yolo.training.mxnet_engine.calls import groups


class MXNetGradients:
    """The gradients of an update.

    Args:
        parameters: that are trained.
        sums: whether a backward pass adds to them, for several batches an update. The network must not be
            hybridized yet.

    Attributes:
        images: whose gradients are summed since the last update.
    """

    def __init__(self, parameters: Sequence[gluon.Parameter], sums: bool) -> None:
        self._parameters = list(parameters)
        self._sums = sums
        self.images = 0
        if sums:
            for parameter in self._parameters:
                parameter.grad_req = "add"

    def drop(self) -> None:
        """Begin a new sum."""
        self.images = 0
        if not self._sums:
            return  # the next backward pass overwrites them
        for gradients in zip(*(parameter.list_grad() for parameter in self._parameters)):
            for part in groups(gradients):
                nd.reset_arrays(*part, num_arrays=len(part))

    def norm(self) -> float:
        """Return the Euclidean norm of all gradients of the first device together; it waits for them.

        ``multi_sum_sq`` and ``norm`` of mxnet 1.9.1 add the squares one by one in float32: of ten million
        numbers the norm is 0.8 percent too small. A matrix product's is right to six digits.
        """
        rows = [parameter.list_grad()[0].reshape((1, -1)) for parameter in self._parameters]
        squares = [nd.linalg.gemm2(row, row, transpose_b=True) for row in rows]
        return math.sqrt(math.fsum(nd.concat(*squares, dim=0).asnumpy().ravel().tolist()))


def clipped(norm: float, most: float) -> float:
    """Return the factor that shortens gradients to a norm of ``most``; 1 if they are shorter."""
    return most / norm if most < norm < math.inf else 1.0
