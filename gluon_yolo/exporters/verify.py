"""Verification of an exported model: its boxes and scores against those of the network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from gluon_yolo.exporters.damaged_weights import DamagedWeights
from gluon_yolo.exporters.parity import FARTHEST, Bound, Parity, largest, largest_differences, magnitude
from gluon_yolo.inference.predictor import Network
from gluon_yolo.models.decode import Decode
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.mxnet_compat import mx

# By precision of the weights. On images unlike the training data a network's maps have large values, and so
# rounding errors; the size of a box is an exponential of them. With the 11 bits of float16 or the 8 of
# bfloat16 only boxes with a high score are compared.
BOUNDS = {
    "float32": Bound(0.2, 1e-3),
    "float16": Bound(16.0, 0.1, 100),
    "bfloat16": Bound(64.0, 0.3, 100),
}


_FAR = 1e3  # times the input's longer side: boxes of trained networks stay below, also on noise


class WrongResults(RuntimeError):
    """The exported model does not give the network's results; its files are removed."""


class Reference:
    """The boxes and scores of a network on some images, to be compared with an exported model.

    Args:
        net: the network; it and its decoding run in Gluon, operator by operator.
        batches: arrays (B, h, w, 3) uint8 RGB, h and w multiples of the largest stride.

    Attributes:
        images: number of images.
        expected: for each batch, the network's boxes (B, N, 4) in input pixels and scores (B, N, C).

    Raises:
        DamagedWeights: the network's output is not finite.
        ValueError: there is no image.
    """

    def __init__(self, net: DetectionNetwork, batches: Iterable[np.ndarray]) -> None:
        self._batches = list(batches)
        self.images = sum(len(batch) for batch in self._batches)
        if not self.images:
            raise ValueError("no picture to compare on")
        context = next(iter(net.collect_params().values())).list_ctx()[0]
        decode = Decode(net.spec)
        decode.initialize(ctx=context)
        self.expected = []
        self._reach = 0.0
        for batch in self._batches:
            maps = net(mx.nd.array(batch, ctx=context, dtype="uint8"))
            boxes, scores = (array.asnumpy() for array in decode(*maps))
            if np.isnan(boxes).any() or not np.isfinite(scores).all():
                raise DamagedWeights(net.zoo_name)
            self.expected.append((boxes, scores))
            self._reach = max(self._reach, float(magnitude(boxes, batch.shape[1:3]).max(initial=0)))

    def compare(self, other: Network, bound: Bound | None = None) -> Parity:
        """Run an exported model on the images.

        Args:
            other: pixels to boxes (B, N, 4) and scores (B, N, C), from a runtime.
            bound: None is that of float32.

        Raises:
            ValueError: the arrays have other shapes.
        """
        bound = bound or Bound()
        differences = []
        for batch, expected in zip(self._batches, self.expected):
            given = other(batch)
            if [array.shape for array in expected] != [array.shape for array in given]:
                raise ValueError(f"expected shapes {_shapes(expected)}, got {_shapes(given)}")
            differences.append(largest_differences(expected, given, batch.shape[1:3], bound.best))
        worst = np.max(differences, axis=0)
        return Parity(float(worst[0]), float(worst[1]), self.images, bound)

    def demand(self, other: Network, file: str, bound: Bound | None = None) -> Parity:
        """Do the same as :meth:`compare`, and raise WrongResults where the bound is exceeded."""
        parity = self.compare(other, bound)
        if not parity.holds:
            raise WrongResults(f"{file}: {parity}{self.cause}; nothing was written")
        return parity

    @property
    def cause(self) -> str:
        """A possible cause of large differences in the network itself; empty where none is known."""
        if self._reach < _FAR:
            return ""
        many = "beyond all numbers" if np.isinf(self._reach) else f"{self._reach:.0e} times the input's side"
        return (
            f"; the network's own boxes reach {many}, as those of hardly any training do, or of one that "
            "diverged, and rounding grows with them: train it longer"
        )


def compare(
    net: DetectionNetwork, other: Network, batches: Iterable[np.ndarray], bound: Bound | None = None
) -> Parity:
    """Run a network and an exported model on the same images, as :class:`Reference` does."""
    return Reference(net, batches).compare(other, bound)


def relative_error(expected: np.ndarray, given: np.ndarray) -> float:
    """Return the largest difference of two arrays, relative to the largest value of the first, at least 1.

    Values beyond ``FARTHEST``, from exponentials that overflow, are all equal, and do not count as largest
    value.
    """
    ours, theirs = (np.clip(array, -FARTHEST, FARTHEST) for array in (expected, given))
    sizes = np.abs(ours)
    most = max(1.0, float(sizes[sizes < FARTHEST].max(initial=0)))
    return largest(np.abs(ours - theirs) / np.maximum(sizes, most))


def _shapes(arrays: Sequence[np.ndarray]) -> str:
    return ", ".join(str(array.shape) for array in arrays)
