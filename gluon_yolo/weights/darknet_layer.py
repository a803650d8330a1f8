"""The arrays of one convolutional layer in a darknet weights file, and their shapes and order."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

FLOAT = np.dtype("<f4")
ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True)
class LayerWeights:
    """The arrays of one convolutional layer, float32.

    Args:
        bias: (O,) bias of the convolution, or beta of batch normalisation.
        kernel: (O, I / groups, k, k).
        gamma: (O,) of batch normalisation; None without it.
        mean: (O,) running mean; None without batch normalisation.
        variance: (O,) running variance; None without batch normalisation.
    """

    bias: np.ndarray
    kernel: np.ndarray
    gamma: np.ndarray | None = None
    mean: np.ndarray | None = None
    variance: np.ndarray | None = None

    def to_bytes(self) -> bytes:
        """Return the arrays as the bytes of a weights file."""
        norm = (self.gamma, self.mean, self.variance)
        arrays = [self.bias, *(array for array in norm if array is not None), self.kernel]
        return b"".join(np.ascontiguousarray(array, FLOAT).tobytes() for array in arrays)

    @property
    def is_finite(self) -> bool:
        """Whether all values are finite."""
        arrays = (self.bias, self.kernel, self.gamma, self.mean, self.variance)
        return all(np.isfinite(array).all() for array in arrays if array is not None)


@dataclasses.dataclass(frozen=True)
class LayerShape:
    """The size of a layer in a weights file, and its name in messages.

    Args:
        index: darknet's number of the layer.
        kernel: output channels, input channels per group, kernel height and width.
        normalized: whether it has batch normalisation.
        name: in messages.
    """

    index: int
    kernel: tuple[int, int, int, int]
    normalized: bool
    name: str

    @property
    def count(self) -> int:
        """Number of values in the file."""
        return self.kernel[0] * self.count_each

    @property
    def count_each(self) -> int:
        """Number of values per output channel."""
        return (4 if self.normalized else 1) + math.prod(self.kernel[1:])

    def resized(self, channels: int) -> LayerShape:
        """Return the shape with another number of output channels."""
        return dataclasses.replace(self, kernel=(channels, *self.kernel[1:]))

    def cut(self, numbers: np.ndarray) -> LayerWeights:
        """Split the values of a layer (``count``,) into its arrays."""
        length = len(numbers) - math.prod(self.kernel)
        bias, *norm = numbers[:length].reshape(-1, self.kernel[0])
        return LayerWeights(bias, numbers[length:].reshape(self.kernel), *norm)


def can_be_variance(array: np.ndarray) -> bool:
    """Return whether values can be variances: finite, and at least ``-ROUNDING``, cuDNN's rounding."""
    return bool(np.isfinite(array).all() and (array >= -ROUNDING).all())
