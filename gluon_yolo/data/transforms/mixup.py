"""Mixup: blend two images; each object's weight is its image's share."""

from __future__ import annotations

import cv2
import numpy as np

from gluon_yolo.detections import Detections


def mix(
    first: tuple[np.ndarray, Detections], second: tuple[np.ndarray, Detections], share: float
) -> tuple[np.ndarray, Detections]:
    """Blend two images and join their boxes (Zhang et al. 2019, "Bag of Freebies", section 3.1).

    Neither image is resized: both are placed in the top left corner of a black image that is large enough for
    both, so boxes keep their coordinates.

    Args:
        first: image (H, W, 3) uint8 and its annotations.
        second: the other image and its annotations.
        share: weight of the first image, 0..1; the second has the rest.

    Returns:
        The blend, and all annotations, those of the first image first; their scores are their image's share.
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
