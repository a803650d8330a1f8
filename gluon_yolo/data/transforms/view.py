"""View: an image's geometry and colour, chosen before any pixel is drawn.

Transforms edit a view, which is drawn once at the end. So any chain of expand, crop, flip, scale and resize
costs one resize of the visible part, a chain of colour changes costs one matrix product, and boxes are mapped
once, by the same matrix that draws the pixels.

Coordinates are continuous: pixel ``i`` covers ``[i, i + 1)``. "Source" is the image as read; "frame" is the
output of the transforms so far.
"""

from __future__ import annotations

import cv2
import numpy as np

from gluon_yolo.boxes import clip
from gluon_yolo.detections import Detections

# OpenCV's numbers, and GluonCV's 9, which chooses by the two sizes.
NEAREST, LINEAR, CUBIC, AREA, LANCZOS, AUTO = 0, 1, 2, 3, 4, 9

# The grey that letterboxing fills with, in training and in inference.
GREY = 127

# A box with a shorter side than this, in pixels of the drawn image, is removed.
MIN_SIDE = 1.0

# One axis: source pixels [start, stop) are drawn into frame pixels [start, stop), mirrored or not.
Span = tuple[int, int, int, int, bool]


def auto_interpolation(old_hw: tuple[int, int], new_hw: tuple[int, int]) -> int:
    """Return GluonCV's interpolation: cubic when both sides grow, area when both shrink, otherwise linear."""
    if new_hw[0] > old_hw[0] and new_hw[1] > old_hw[1]:
        return CUBIC
    if new_hw[0] < old_hw[0] and new_hw[1] < old_hw[1]:
        return AREA
    return LINEAR


def resize(image: np.ndarray, size_hw: tuple[int, int], interpolation: int = AUTO) -> np.ndarray:
    """Return ``image`` (H, W, 3) uint8 stretched to ``size_hw``; the same array when it has that size."""
    old_hw = (image.shape[0], image.shape[1])
    if old_hw == tuple(size_hw):
        return image
    if interpolation == AUTO:
        interpolation = auto_interpolation(old_hw, size_hw)
    return cv2.resize(image, (size_hw[1], size_hw[0]), interpolation=interpolation)


def letterbox_place(
    image_hw: tuple[int, int], size_hw: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the (height, width) of an image fitted into the middle of a size, and its (top, left)."""
    scale = min(size_hw[0] / image_hw[0], size_hw[1] / image_hw[1])
    height, width = (max(1, round(side * scale)) for side in image_hw)
    return (height, width), ((size_hw[0] - height) // 2, (size_hw[1] - width) // 2)


class View:
    """The geometry and colour of one image's drawing.

    Args:
        source_hw: height and width of the image as read.
        truth: its annotations in source pixels; scores, where present, are the objects' mixup weights.
        target_hw: requested height and width, for the transforms that resize.

    Attributes:
        matrix: (2, 3) float64, maps source points (x, y, 1) to frame points.
        size_hw: height and width of the frame in whole pixels.
        color: (3, 4) float64, maps (r, g, b, 1) of 0..255 to the drawn colour; None is the identity.
        fill: RGB colour outside the image.
        interpolation: one of this module's numbers.
    """

    def __init__(self, source_hw: tuple[int, int], truth: Detections, target_hw: tuple[int, int]) -> None:
        self.source_hw = source_hw
        self.target_hw = target_hw
        self.size_hw = source_hw
        self.matrix = np.eye(2, 3)
        self.color: np.ndarray | None = None
        self.fill: tuple[int, int, int] = (0, 0, 0)
        self.interpolation = LINEAR
        self._truth = truth

    def reduction(self) -> int:
        """Return the largest reduction of 8, 4, 2, 1 with which no source pixel is enlarged by drawing.

        An image that is drawn much smaller can be decoded at a part of its size, which saves most of the
        decoding time.
        """
        largest = float(np.linalg.norm(self.matrix[:, :2], ord=2))  # the largest scale of any direction
        return next(reduction for reduction in (8, 4, 2, 1) if largest * reduction <= 1 or reduction == 1)

    def rescale_source(self, image_hw: tuple[int, int]) -> None:
        """Convert boxes and matrix to the pixels of the image as it was read, at ``image_hw``."""
        if image_hw == self.source_hw:
            return
        scale_xy = np.array([image_hw[1] / self.source_hw[1], image_hw[0] / self.source_hw[0]])
        self._truth = self._truth.replace(boxes=self._truth.boxes * np.tile(scale_xy, 2))
        self.matrix[:, :2] /= scale_xy
        self.source_hw = image_hw

    @property
    def upright(self) -> bool:
        """Whether the axes of source and frame are parallel, so that drawing is a crop and a resize."""
        return bool(self.matrix[0, 1] == 0 and self.matrix[1, 0] == 0)

    def move(self, linear: np.ndarray, offset_xy: tuple[float, float], size_hw: tuple[int, int]) -> None:
        """Map the frame's points p to ``linear @ p + offset_xy`` in a new frame of ``size_hw``.

        Args:
            linear: (2, 2), or (2,) for a scale of x and y.
            offset_xy: in pixels of the new frame.
            size_hw: height and width of the new frame.
        """
        self.matrix = linear[:, None] * self.matrix if linear.ndim == 1 else linear @ self.matrix
        self.matrix[:, 2] += offset_xy
        self.size_hw = size_hw

    def boxes(self) -> np.ndarray:
        """Return all boxes (N, 4) float64 in the frame, unclipped; a rotated box becomes its bounding box."""
        corners = self._truth.boxes.astype(np.float64)
        if self.upright:
            scale, offset = self.matrix[[0, 1], [0, 1]], self.matrix[:, 2]
            ends = corners.reshape(-1, 2, 2) * scale + offset
        else:
            ends = corners[:, [0, 1, 2, 1, 0, 3, 2, 3]].reshape(-1, 4, 2)
            ends = ends @ self.matrix[:, :2].T + self.matrix[:, 2]
        return np.concatenate([ends.min(axis=1), ends.max(axis=1)], axis=1)

    def annotations(self) -> Detections:
        """Return the visible annotations, with boxes (N, 4) clipped to the frame.

        A box is removed when its centre is outside the frame, or when its clipped width or height is less
        than ``MIN_SIDE``. There is no other rule.
        """
        boxes = self.boxes()
        seen = clip(boxes, self.size_hw)
        keep = centers_inside(boxes, self.size_hw) & (seen[:, 2:] - seen[:, :2] >= MIN_SIDE).all(axis=1)
        kept = self._truth[keep]
        return kept.replace(boxes=seen[keep])

    def settle(self) -> None:
        """Adjust the geometry by less than a pixel, so that a crop and a resize draw it exactly.

        The visible part is rounded to whole source pixels and whole frame pixels, and the matrix becomes the
        map between these, so that boxes match the pixels. A rotated view is not changed.
        """
        if not self.upright:
            return
        for axis in (0, 1):
            span = self._span(axis)
            if span is None:
                continue
            start, stop, first, last, mirrored = span
            scale = (last - first) / (stop - start)
            self.matrix[axis, axis] = -scale if mirrored else scale
            self.matrix[axis, 2] = last + scale * start if mirrored else first - scale * start

    def draw(self, image: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Draw the settled view.

        Args:
            image: (H, W, 3) uint8 RGB of ``source_hw``.
            out: (h, w, 3) uint8 of ``size_hw`` to draw into, with contiguous rows; None makes a new array.

        Returns:
            ``out``.

        Raises:
            ValueError: ``image`` or ``out`` has another shape.
        """
        if image.shape != (*self.source_hw, 3):
            raise ValueError(f"picture: expected shape {(*self.source_hw, 3)}, got {image.shape}")
        if out is None:
            out = np.empty((*self.size_hw, 3), dtype=np.uint8)
        elif out.shape != (*self.size_hw, 3):
            raise ValueError(f"out: the transform ends at shape {(*self.size_hw, 3)}, got {out.shape}")
        if self.upright:
            self._draw_upright(image, out)
        else:
            self._draw_turned(image, out)
        return out

    def _span(self, axis: int) -> Span | None:
        """Return the visible pixels of axis 0 (x) or 1 (y); None when less than half a pixel is visible."""
        source, frame = self.source_hw[1 - axis], self.size_hw[1 - axis]
        scale, offset = float(self.matrix[axis, axis]), float(self.matrix[axis, 2])
        mirrored = scale < 0
        if mirrored:
            scale, offset = -scale, frame - offset
        first, last = round(max(0.0, offset)), round(min(float(frame), offset + scale * source))
        if last <= first:
            return None
        start = min(round(max(0.0, -offset / scale)), source - 1)
        stop = max(round(min(float(source), (frame - offset) / scale)), start + 1)
        if mirrored:
            first, last = frame - last, frame - first
        return start, stop, first, last, mirrored

    def _draw_upright(self, image: np.ndarray, out: np.ndarray) -> None:
        columns, rows = self._span(0), self._span(1)
        if columns is None or rows is None:
            _fill(out, self.fill)
            return
        left, right, x1, x2, mirror_x = columns
        top, bottom, y1, y2, mirror_y = rows
        part = image[top:bottom, left:right]
        # Colour is applied where there are fewer pixels; apart from rounding it commutes with a resize.
        color_first = part.shape[0] * part.shape[1] < (y2 - y1) * (x2 - x1)
        if color_first:
            part = _recolor(part, self.color)
        part = resize(part, (y2 - y1, x2 - x1), self.interpolation)
        if not color_first:
            part = _recolor(part, self.color)
        if mirror_x or mirror_y:
            part = cv2.flip(part, -1 if mirror_x and mirror_y else int(mirror_x))
        if part.shape != out.shape:
            _fill(out, self.fill)
        out[y1:y2, x1:x2] = part

    def _draw_turned(self, image: np.ndarray, out: np.ndarray) -> None:
        # OpenCV places pixel i at i, not at i + 0.5, and has no area interpolation for warps.
        matrix = self.matrix.copy()
        matrix[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5
        flags = self.interpolation if self.interpolation in (NEAREST, CUBIC) else LINEAR
        height, width = self.size_hw
        out[:] = cv2.warpAffine(
            _recolor(image, self.color),
            matrix,
            (width, height),
            flags=flags,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=self.fill,
        )


def centers_inside(boxes: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Return which boxes (N, 4) have their centre inside a frame of ``size_hw``: (N,) bool."""
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    return ((centers >= 0) & (centers < (size_hw[1], size_hw[0]))).all(axis=1)


def _recolor(image: np.ndarray, color: np.ndarray | None) -> np.ndarray:
    """Return ``image`` with its colours mapped, rounded and clipped to 0..255 once."""
    return image if color is None else cv2.transform(image, color)


def _fill(out: np.ndarray, color: tuple[int, int, int]) -> None:
    # By rows: NumPy copies a whole row at once, but a colour pixel by pixel, which is a hundred times slower.
    out[:] = np.tile(np.array(color, dtype=np.uint8), (out.shape[1], 1))
