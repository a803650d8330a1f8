"""Verification of an exported landmark network: its points against those of the network."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from gluon_yolo.exporters.damaged_weights import DamagedWeights
from gluon_yolo.exporters.parity import Bound
from gluon_yolo.exporters.verify import BOUNDS, WrongResults
from gluon_yolo.inference.predictor import Network
from gluon_yolo.mxnet_compat import mx

# By the bound of a detector in the same precision: the largest difference of a coordinate, as a share of the
# crop. With 11 or 8 bits, a hundredth or a few of the crop's side.
_SHARES = {BOUNDS["float32"]: 1e-4, BOUNDS["float16"]: 0.01, BOUNDS["bfloat16"]: 0.05}


@dataclasses.dataclass(frozen=True)
class PointParity:
    """The largest difference over images and points.

    Args:
        points: of a coordinate, as a share of the crop.
        images: number of images that were compared.
        bound: the largest allowed difference.
    """

    points: float
    images: int
    bound: float

    @property
    def holds(self) -> bool:
        """Whether the difference is within the bound; False for NaN."""
        return self.points <= self.bound

    def __str__(self) -> str:
        """Return the difference in one line."""
        return (
            f"largest difference from the network on {self.images} picture{'s' * (self.images != 1)}: "
            f"points {self.points:.1e} of the crop (bound {self.bound:.0e})"
        )


class PointReference:
    """The points of a network on some images, to be compared with an exported model.

    Args:
        net: the network, run in Gluon, operator by operator.
        batches: arrays (B, h, w, 3) uint8 RGB of the network's size.

    Attributes:
        images: number of images.
        cause: a possible cause of large differences in the network itself; none is known.

    Raises:
        DamagedWeights: the network's output is not finite.
    """

    cause = ""

    def __init__(self, net: Any, batches: Iterable[np.ndarray]) -> None:
        self._batches = list(batches)
        self.images = sum(len(batch) for batch in self._batches)
        context = next(iter(net.collect_params().values())).list_ctx()[0]
        self.expected = []
        for batch in self._batches:
            (points,) = net(mx.nd.array(batch, ctx=context, dtype="uint8"))
            self.expected.append(points.asnumpy())
            if not np.isfinite(self.expected[-1]).all():
                raise DamagedWeights(net.zoo_name)

    def compare(self, other: Network, bound: Bound | None = None) -> PointParity:
        """Run an exported model on the images.

        Args:
            other: pixels to one array (B, 2 * P), from a runtime.
            bound: that of a detector in the same precision; None is that of float32.

        Raises:
            ValueError: the array has another shape.
        """
        worst = []
        for batch, expected in zip(self._batches, self.expected):
            (given,) = other(batch)
            if given.shape != expected.shape:
                raise ValueError(f"expected shape {expected.shape}, got {given.shape}")
            worst.append(float(np.abs(given - expected).max()))
        return PointParity(float(np.max(worst)), self.images, _SHARES[bound or BOUNDS["float32"]])

    def demand(self, other: Network, file: str, bound: Bound | None = None) -> PointParity:
        """Do the same as :meth:`compare`, and raise WrongResults where the bound is exceeded."""
        parity = self.compare(other, bound)
        if not parity.holds:
            raise WrongResults(f"{file}: {parity}; nothing was written")
        return parity
