"""Annotations: turn the boxes of one label into valid Detections, and report the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gluon_yolo import boxes as box_maths
from gluon_yolo.data.images.exif import UPRIGHT, turn_boxes, turned_hw
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.detections import Detections

# One-based and zero-based tools differ by a pixel: a box that is outside by so little is not an error.
_PIXELS_OF_GRACE = 1.0


class Annotations:
    """Collects the objects of one image: clips boxes to it, drops broken ones, and reports both.

    A repeated box, with the same class and corners, is reported and kept.

    Args:
        file: the label file, for messages.
        size_hw: the upright image's (height, width) in pixels.
        report: receives issues and the count of broken boxes.
        orientation: EXIF orientation of an image whose boxes are given for the stored pixels; the boxes are
            turned upright before anything else. 1 for boxes of the upright image.
    """

    def __init__(
        self, file: str, size_hw: tuple[int, int], report: DatasetReport, orientation: int = UPRIGHT
    ) -> None:
        self._file = file
        self._size_hw = size_hw
        self._orientation = orientation
        self._report = report
        self._boxes: list[np.ndarray] = []
        self._class_ids: list[int] = []
        self._difficult: list[bool] = []
        self._places: dict[tuple[float, ...], str] = {}

    def another(self) -> Annotations:
        """Return an empty collection for other boxes of the same label."""
        return Annotations(self._file, self._size_hw, self._report, self._orientation)

    @property
    def labelled_hw(self) -> tuple[int, int]:
        """The (height, width) of the image that the boxes to add refer to: upright, or as stored."""
        return turned_hw(self._size_hw, self._orientation)

    def upright(self, box_xyxy: Sequence[float]) -> np.ndarray:
        """Return a box of the labelled image as corners (4,) float64 of the upright image."""
        corners = np.asarray(box_xyxy, dtype=np.float64)
        if self._orientation == UPRIGHT:
            return corners
        return turn_boxes(corners[None], self._orientation, self.labelled_hw)[0]

    def add(self, box_xyxy: Sequence[float], class_id: int, difficult: bool = False, where: str = "") -> bool:
        """Add one object, or report why its box is broken and drop it; return whether it was added.

        Args:
            box_xyxy: corners in pixels of an image of size :attr:`labelled_hw`; they may be infinite,
                unordered or outside the image.
            class_id: index of its class.
            difficult: VOC's mark.
            where: the object's place in the file and its box as written, for messages.
        """
        with np.errstate(over="ignore"):  # numbers beyond float32 become infinite, and are reported
            corners = self.upright(box_xyxy).astype(np.float32)
        self._report.units.add(self._file, corners, self._size_hw)
        clipped = box_maths.clip(corners[None], self._size_hw)[0]
        kind, problem = self._problem(corners, clipped)
        if problem:
            self._report.broken_boxes += 1
            self._report.warn(kind, self._file, f"box {problem}; dropped", where, corners)
            return False
        if np.abs(corners - clipped).max() > _PIXELS_OF_GRACE:
            text = f"box reaches out of the {self._size_hw[1]}x{self._size_hw[0]} picture; clipped"
            self._report.warn("reaches-out", self._file, text, where, corners)
        same = (class_id, *corners.tolist())
        if same in self._places:
            text = f"box is there twice: {self._places[same]} has the same corners and class"
            self._report.warn("duplicate-box", self._file, text, where, corners)
        self._places.setdefault(same, where)
        self._boxes.append(clipped)
        self._class_ids.append(class_id)
        self._difficult.append(difficult)
        return True

    def _problem(self, corners: np.ndarray, clipped: np.ndarray) -> tuple[str, str]:
        """Return an issue's kind and its text; two empty strings for a valid box."""
        if not np.isfinite(corners).all():
            return "not-finite", "has a corner that is no finite number"
        if corners[2] < corners[0] or corners[3] < corners[1]:
            return "swapped-corners", "has its corners swapped"
        if corners[2] == corners[0] or corners[3] == corners[1]:
            return "no-area", "has no area"
        if clipped[2] <= clipped[0] or clipped[3] <= clipped[1]:
            return "outside", f"lies outside of the {self._size_hw[1]}x{self._size_hw[0]} picture"
        return "", ""

    def detections(self) -> Detections:
        """Return the objects added so far."""
        return Detections(
            np.array(self._boxes, dtype=np.float32).reshape(-1, 4),
            np.array(self._class_ids, dtype=np.int64),
            difficult=np.array(self._difficult, dtype=bool),
        )
