"""Collate: the samples of a batch as arrays, with the targets padded to one number of rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Batch:
    """One training batch.

    Args:
        images: (B, H, W, 3) uint8 RGB; a new array for every batch.
        targets: (B, M, 12) float32, as :func:`pad_targets` stacks them.
        names: B files or record keys; with mixup, of the first of the two images.
        indices: B indices into the data set.
        size_hw: height and width of the images.
    """

    images: np.ndarray
    targets: np.ndarray
    names: list[str]
    indices: list[int]
    size_hw: tuple[int, int]


def collate(
    images: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    names: list[str],
    indices: list[int],
    multiple: int = 8,
) -> Batch:
    """Return the batch of B samples; no pixel is copied.

    Args:
        images: B views (H, W, 3) of one array (B, H, W, 3), into which the workers drew them, in order.
        targets: of each image, (rows, 12) float32.
        names: of the images, for messages.
        indices: of the images in the data set.
        multiple: as for :func:`pad_targets`.
    """
    array, (height, width) = images[0].base, images[0].shape[:2]
    assert array is not None  # the images are views
    return Batch(array, pad_targets(targets, multiple), names, indices, (height, width))


def pad_targets(targets: Sequence[np.ndarray], multiple: int = 8) -> np.ndarray:
    """Stack the targets of B images into (B, M, 12), soft ones into (B, M, 12 + C); padding rows are zero.

    M is the largest number of rows, rounded up to ``multiple``: a hybridized loss plans its memory anew for
    each shape, so there should be few.
    """
    longest = max(1, max(len(rows) for rows in targets))
    shape = (len(targets), -(-longest // multiple) * multiple, targets[0].shape[1])
    batch = np.zeros(shape, dtype=np.float32)
    for padded, rows in zip(batch, targets):
        padded[: len(rows)] = rows
    return batch
