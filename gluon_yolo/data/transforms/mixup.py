"""Mixup: two pictures laid over each other, each object weighted by its picture's share."""

from __future__ import annotations

import cv2
import numpy as np

from gluon_yolo.detections import Detections


def mix(
    first: tuple[np.ndarray, Detections], second: tuple[np.ndarray, Detections], share: float
) -> tuple[np.ndarray, Detections]:
    """Blend two pictures and gather their boxes (Zhang et al. 2019, "Bag of Freebies", section 3.1).

    Nothing is stretched: both lie in the top left corner of a black picture large enough for either, so that
    boxes stay where they are.

    Args:
        first: picture (H, W, 3) uint8 and its boxes.
        second: the same of the other picture.
        share: weight of the first, 0..1; the second has the rest.

    Returns:
        The blend, and all boxes, first those of the first picture; their scores are their picture's share.
    """
    (picture, truth), (other, other_truth) = first, second
    size_hw = max(picture.shape[0], other.shape[0]), max(picture.shape[1], other.shape[1])
    blend = cv2.addWeighted(_pad(picture, size_hw), share, _pad(other, size_hw), 1 - share, 0)
    shares = (share, 1 - share)
    weighted = [t.replace(scores=np.full(len(t), w)) for t, w in zip((truth, other_truth), shares)]
    return blend, Detections.concatenate(weighted)


def _pad(picture: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    below, right = size_hw[0] - picture.shape[0], size_hw[1] - picture.shape[1]
    if not below and not right:
        return picture
    return cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_CONSTANT, value=(0, 0, 0))
