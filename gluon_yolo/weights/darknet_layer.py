"""LayerWeights: the numbers that a weights file has of one convolutional layer, and where each stands."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

FLOAT = np.dtype("<f4")
ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True)
class LayerWeights:
    """The numbers of one convolutional layer, float32.

    Args:
        bias: (O,), added behind the kernel or, as beta, behind batch norm.
        kernel: (O, I / groups, k, k).
        gamma: (O,) of batch norm, None without.
        mean: (O,) likewise.
        variance: (O,) likewise.
    """

    bias: np.ndarray
    kernel: np.ndarray
    gamma: np.ndarray | None = None
    mean: np.ndarray | None = None
    variance: np.ndarray | None = None

    def to_bytes(self) -> bytes:
        """Return the numbers as they stand in the file."""
        norm = (self.gamma, self.mean, self.variance)
        arrays = [self.bias, *(array for array in norm if array is not None), self.kernel]
        return b"".join(np.ascontiguousarray(array, FLOAT).tobytes() for array in arrays)

    @property
    def is_finite(self) -> bool:
        """Whether every number is one."""
        arrays = (self.bias, self.kernel, self.gamma, self.mean, self.variance)
        return all(np.isfinite(array).all() for array in arrays if array is not None)


@dataclasses.dataclass(frozen=True)
class LayerShape:
    """What a file holds of a layer, and what the layer is called in messages.

    Args:
        index: darknet's of the layer.
        kernel: output channels, input channels of a group, height and width.
        normalized: whether it has batch norm.
        name: where it stands.
    """

    index: int
    kernel: tuple[int, int, int, int]
    normalized: bool
    name: str

    @property
    def count(self) -> int:
        """How many numbers the file has of it."""
        return self.kernel[0] * self.count_each

    @property
    def count_each(self) -> int:
        """How many of them belong to one output channel."""
        return (4 if self.normalized else 1) + math.prod(self.kernel[1:])

    def resized(self, channels: int) -> LayerShape:
        """Return the layer with other output channels."""
        return dataclasses.replace(self, kernel=(channels, *self.kernel[1:]))

    def cut(self, numbers: np.ndarray) -> LayerWeights:
        """Turn the layer's numbers into its arrays."""
        length = len(numbers) - math.prod(self.kernel)
        bias, *norm = numbers[:length].reshape(-1, self.kernel[0])
        return LayerWeights(bias, numbers[length:].reshape(self.kernel), *norm)


def can_be_variance(array: np.ndarray) -> bool:
    """Say whether numbers can be a variance: finite, and negative by cuDNN's rounding at most."""
    return bool(np.isfinite(array).all() and (array >= -ROUNDING).all())
