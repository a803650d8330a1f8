"""Mixup: two images laid over each other, each object weighted by its image's share."""

from __future__ import annotations

import cv2
import numpy as np

from gluon_yolo.detections import Detections


def mix(
    first: tuple[np.ndarray, Detections], second: tuple[np.ndarray, Detections], share: float
) -> tuple[np.ndarray, Detections]:
    """Blend two images and gather their boxes (Zhang et al. 2019, "Bag of Freebies", section 3.1).

    Nothing is stretched: both lie in the top left corner of a black image large enough for either, so that
    boxes stay where they are.

    Args:
        first: image (H, W, 3) uint8 and its boxes.
        second: the same of the other image.
        share: weight of the first, 0..1; the second has the rest.

    Returns:
        The blend, and all boxes, first those of the first image; their scores are their image's share.
    """
    (image, truth), (other, other_truth) = first, second
    size_hw = max(image.shape[0], other.shape[0]), max(image.shape[1], other.shape[1])
    blend = cv2.addWeighted(_pad(image, size_hw), share, _pad(other, size_hw), 1 - share, 0)
    shares = (share, 1 - share)
    weighted = [t.replace(scores=np.full(len(t), w)) for t, w in zip((truth, other_truth), shares)]
    return blend, Detections.concatenate(weighted)


def _pad(image: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    below, right = size_hw[0] - image.shape[0], size_hw[1] - image.shape[1]
    if not below and not right:
        return image
    return cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_CONSTANT, value=(0, 0, 0))
