"""Calibration: pictures of a data set, drawn and fitted, on which a network's arrays are measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gluon_yolo.bars import counting
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.inference.fit import Fit


def drawn(count: int, most: int, seed: int = 0) -> list[int]:
    """Return which of ``count`` pictures are taken, ``most`` of them or all: at random, in their order.

    The same numbers give the same pictures, and a smaller ``most`` gives some of a larger one's.
    """
    return sorted(np.random.default_rng(seed).permutation(count)[:most].tolist())


def divided(count: int, most: int, seed: int = 0) -> tuple[list[int], list[int]]:
    """Divide ``count`` pictures in two without a picture in both: to calibrate on, and to score on.

    Args:
        count: at least 2.
        most: to calibrate on; never more than half of all.
        seed: of the drawing.
    """
    calibrated = drawn(count, min(most, count // 2), seed)
    return calibrated, sorted(set(range(count)) - set(calibrated))


def read(dataset: Dataset, indices: Sequence[int], size_hw: tuple[int, int], fit: Fit) -> np.ndarray:
    """Read pictures and bring them to the network's input as evaluation does.

    Args:
        dataset: the pictures.
        indices: which of them.
        size_hw: height and width of the input in pixels.
        fit: how pictures are brought to it.

    Returns:
        (B, h, w, 3) uint8 RGB.

    Raises:
        BadFile: a picture cannot be read.
    """
    pictures = np.empty((len(indices), *size_hw, 3), dtype=np.uint8)
    for place, index in enumerate(counting(indices, len(indices), "read pictures", "picture")):
        pictures[place] = fit(dataset.picture(index), size_hw)[0]
    return pictures
