"""Parity: how far what was written is from the network, in boxes and scores, on given pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.inference import mxnet_runtime
from gluon_yolo.inference.predictor import FARTHEST, Network
from gluon_yolo.nn.detector import DetectionNetwork


@dataclasses.dataclass(frozen=True)
class Bound:
    """What a format in single precision keeps to.

    Args:
        boxes: pixels.
        scores: of 0..1.
    """

    boxes: float = 0.05
    scores: float = 1e-4


@dataclasses.dataclass(frozen=True)
class Parity:
    """The largest differences over all anchors, classes and pictures.

    Args:
        boxes: of a side, in input pixels; of a box larger than the input, in proportion: where a side of a
            box is twice the input's longer one, two pixels count as one.
        scores: of 0..1.
        pictures: how many were compared.
        bound: that they are to keep to.
    """

    boxes: float
    scores: float
    pictures: int
    bound: Bound = Bound()

    @property
    def holds(self) -> bool:
        """Whether both differences are within the bound; never for one that is no number."""
        return self.boxes <= self.bound.boxes and self.scores <= self.bound.scores

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"largest difference from the network on {self.pictures} picture{'s' * (self.pictures != 1)}: "
            f"boxes {self.boxes:.2g} pixels (bound {self.bound.boxes:g}), "
            f"scores {self.scores:.1e} (bound {self.bound.scores:.0e})"
        )


def compare(
    net: DetectionNetwork, other: Network, batches: Iterable[np.ndarray], bound: Bound | None = None
) -> Parity:
    """Run a network and what was written of it on the same pictures.

    Args:
        net: the network.
        other: what was written, as a runtime loads it: pixels to boxes (B, N, 4) and scores (B, N, C).
        batches: arrays (B, h, w, 3) uint8 RGB, h and w multiples of the largest stride.
        bound: None takes that of single precision.

    Raises:
        UserError: when the network gives numbers that are not finite.
        ValueError: when there is no picture, or the arrays differ in shape.
    """
    reference = mxnet_runtime.from_block(net)
    boxes, scores, pictures = [], [], 0
    for batch in batches:
        expected, given = reference(batch), other(batch)
        if [array.shape for array in expected] != [array.shape for array in given]:
            raise ValueError(f"expected shapes {_shapes(expected)}, got {_shapes(given)}")
        if np.isnan(expected[0]).any() or not np.isfinite(expected[1]).all():
            raise UserError(
                f"{net.zoo_name}: gives numbers that are not finite: its weights are damaged, or those of "
                "another network"
            )
        # An untrained network's exponentials may overflow: what lies beyond all pictures is one place.
        sides, own = (np.clip(array, -FARTHEST, FARTHEST) for array in (expected[0], given[0]))
        boxes.append(_largest(np.abs(sides - own) / _magnitude(sides, batch.shape[1:3])))
        scores.append(_largest(np.abs(expected[1] - given[1])))
        pictures += len(batch)
    if not pictures:
        raise ValueError("no picture to compare on")
    return Parity(float(np.max(boxes)), float(np.max(scores)), pictures, bound or Bound())


def _magnitude(boxes: np.ndarray, size_hw: Sequence[int]) -> np.ndarray:
    """Return for each box (B, N, 1) how many times the input's longer side it reaches, at least 1."""
    reach = np.abs(boxes).max(axis=2, keepdims=True)
    return np.maximum(1, reach / max(size_hw))


def _largest(differences: np.ndarray) -> float:
    """Return the largest; one that is no number counts as that."""
    return float(differences.max(initial=0)) if not np.isnan(differences).any() else float("nan")


def _shapes(arrays: Sequence[np.ndarray]) -> str:
    return ", ".join(str(array.shape) for array in arrays)
