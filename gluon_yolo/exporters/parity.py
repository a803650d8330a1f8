"""Parity: how far a model's boxes and scores are from another one's, and how far they may be."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from gluon_yolo.inference.predictor import FARTHEST


@dataclasses.dataclass(frozen=True)
class Bound:
    """The largest allowed differences; the defaults are for float32 on images that suit the network.

    Args:
        boxes: in pixels.
        scores: of 0..1, over all anchors.
        best: number of anchors per image, with the best scores, whose boxes are compared; None is all.
    """

    boxes: float = 0.05
    scores: float = 1e-4
    best: int | None = None


@dataclasses.dataclass(frozen=True)
class Parity:
    """The largest differences over classes, images and anchors (of boxes: the anchors of the bound).

    Args:
        boxes: of a side, in input pixels. For a box larger than the input it is scaled down: where a side is
            at twice the input's longer side, two pixels count as one.
        scores: of 0..1.
        images: number of images that were compared.
        bound: the largest allowed differences.
    """

    boxes: float
    scores: float
    images: int
    bound: Bound = Bound()

    @property
    def holds(self) -> bool:
        """Whether both differences are within the bound; False for NaN."""
        return self.boxes <= self.bound.boxes and self.scores <= self.bound.scores

    def __str__(self) -> str:
        """Return the differences in one line."""
        boxes = "boxes" if self.bound.best is None else f"the {self.bound.best} best boxes"
        return (
            f"largest difference from the network on {self.images} picture{'s' * (self.images != 1)}: "
            f"{boxes} {self.boxes:.2g} pixels (bound {self.bound.boxes:g}), "
            f"scores {self.scores:.1e} (bound {self.bound.scores:.0e})"
        )


@dataclasses.dataclass(frozen=True)
class Unverified:
    """In the place of the differences of a file that nothing here can run.

    Args:
        reason: why it cannot be run.
    """

    reason: str
    boxes = scores = points = float("nan")

    def __str__(self) -> str:
        """Return the reason in one line."""
        return f"not tried: {self.reason}"


def largest_differences(
    expected: Sequence[np.ndarray], given: Sequence[np.ndarray], size_hw: Sequence[int], best: int | None
) -> tuple[float, float]:
    """Return the largest difference of two models' boxes, in input pixels, and of their scores.

    Args:
        expected: boxes (B, N, 4) in input pixels and scores (B, N, C).
        given: the same of the other model.
        size_hw: height and width of the input in pixels.
        best: number of anchors per image, with the best expected scores, whose boxes are compared; None is
            all.
    """
    # The exponentials of an untrained network can overflow: all positions beyond FARTHEST are equal.
    sides, own = (np.clip(array, -FARTHEST, FARTHEST) for array in (expected[0], given[0]))
    boxes = np.abs(sides - own) / magnitude(sides, size_hw)
    if best is not None:
        order = np.argsort(-expected[1].max(axis=2), axis=1, kind="stable")[:, :best]
        boxes = np.take_along_axis(boxes, order[:, :, None], axis=1)
    return largest(boxes), largest(np.abs(expected[1] - given[1]))


def magnitude(boxes: np.ndarray, size_hw: Sequence[int]) -> np.ndarray:
    """Return for each box (B, N, 1) its farthest side over the input's longer side, at least 1."""
    reach = np.abs(boxes).max(axis=2, keepdims=True)
    return np.maximum(1, reach / max(size_hw))


def largest(differences: np.ndarray) -> float:
    """Return the largest difference; NaN if there is one."""
    return float(differences.max(initial=0)) if not np.isnan(differences).any() else float("nan")
