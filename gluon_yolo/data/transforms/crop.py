"""RandomCrop: the crop of SSD, constrained by its overlap with the boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gluon_yolo.boxes import iou_matrix
from gluon_yolo.data.transforms.base import Transform
from gluon_yolo.data.transforms.limits import check_between, check_range, check_whole
from gluon_yolo.data.transforms.view import View, centers_inside


class RandomCrop(Transform):
    """Crop the frame at random so that it overlaps each box enough (Liu et al. 2016, SSD, section 2.2).

    For each of ``min_ious``, ``trials`` crops are drawn; the first one whose IoU with every box is at least
    that value is a candidate, and so is the whole frame. One candidate is drawn among those that contain the
    centre of a box. A frame without boxes is cropped without constraints.

    Args:
        scale: range of the crop's side relative to the frame's; the shape is drawn to fit it.
        max_aspect_ratio: largest ratio between the aspect ratios of crop and frame, in both directions.
        min_ious: the constraints; 0 is none.
        trials: crops drawn per constraint.
    """

    def __init__(
        self,
        scale: tuple[float, float] = (0.3, 1.0),
        max_aspect_ratio: float = 2.0,
        min_ious: Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.9, 0.0),
        trials: int = 50,
    ) -> None:
        check_range("scale", scale, most=1)
        check_between(1, max_aspect_ratio=max_aspect_ratio, trials=trials)
        check_whole("trials", (trials,), 10_000)
        self.scale = scale
        self.max_aspect_ratio = max_aspect_ratio
        self.min_ious = np.array(min_ious)
        self.trials = trials

    def edit(self, view: View, rng: np.random.Generator) -> None:
        """Crop the frame."""
        boxes = view.boxes()
        boxes = boxes[centers_inside(boxes, view.size_hw)]
        if len(boxes):
            window = self._constrained(boxes, view.size_hw, rng)
        else:
            window = self._windows(1, view.size_hw, rng)[0]
        left, top, right, bottom = (int(edge) for edge in window)
        view.move(np.ones(2), (-left, -top), (bottom - top, right - left))

    def _constrained(
        self, boxes: np.ndarray, size_hw: tuple[int, int], rng: np.random.Generator
    ) -> np.ndarray:
        """Draw the crop (4,) of a frame with boxes, as corners."""
        windows = self._windows(len(self.min_ious) * self.trials, size_hw, rng)
        least = iou_matrix(windows, boxes).min(axis=1).reshape(-1, self.trials)
        fits = least >= self.min_ious[:, None]
        first = fits.argmax(axis=1) + np.arange(len(fits)) * self.trials
        whole = np.array([[0, 0, size_hw[1], size_hw[0]]])
        candidates = np.concatenate([whole, windows[first[fits.any(axis=1)]]])
        centers = ((boxes[:, :2] + boxes[:, 2:]) / 2)[None]
        inside = (centers >= candidates[:, None, :2]) & (centers < candidates[:, None, 2:])
        candidates = candidates[inside.all(axis=2).any(axis=1)]
        return candidates[rng.integers(len(candidates))]

    def _windows(self, count: int, size_hw: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        """Draw ``count`` crops (count, 4) as integer corners x1, y1, x2, y2 inside the frame."""
        height, width = size_hw
        scale = rng.uniform(*self.scale, size=count)
        lowest = np.maximum(1 / self.max_aspect_ratio, scale * scale)
        highest = np.minimum(self.max_aspect_ratio, 1 / (scale * scale))
        stretch = np.sqrt(rng.uniform(lowest, highest))
        size_wh = np.stack([width * scale * stretch, height * scale / stretch], axis=1).astype(np.int64)
        size_wh = np.clip(size_wh, 1, (width, height))
        corner = (rng.random((count, 2)) * ((width, height) - size_wh)).astype(np.int64)
        return np.concatenate([corner, corner + size_wh], axis=1)
