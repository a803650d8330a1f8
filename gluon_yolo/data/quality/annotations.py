"""Annotations: the boxes of one image as an annotation gives them, made into Detections to rely on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gluon_yolo import boxes as box_maths
from gluon_yolo.data.images.exif import UPRIGHT, turn_boxes, turned_hw
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.detections import Detections

# One-based and zero-based tools differ by a pixel: a box that far outside is nobody's mistake.
_PIXELS_OF_GRACE = 1.0


class Annotations:
    """Gathers the objects of one image: clips boxes to it, drops broken ones, and reports both.

    A box that is there twice, with the same class and corners, is reported and kept.

    Args:
        file: the annotation, as messages name it.
        size_hw: the image's (height, width) in pixels, upright.
        report: where findings go, and the count of broken boxes.
        orientation: EXIF's, of an image whose boxes are given as its pixels are stored: they are turned
            with it, before anything else is done with them. 1 for boxes of the upright image.
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
        """Return an empty truth for other boxes of the same label."""
        return Annotations(self._file, self._size_hw, self._report, self._orientation)

    @property
    def labelled_hw(self) -> tuple[int, int]:
        """The (height, width) of the image that the boxes to add are of: upright, or as it is stored."""
        return turned_hw(self._size_hw, self._orientation)

    def upright(self, box_xyxy: Sequence[float]) -> np.ndarray:
        """Return a box of the image that the label is of as corners (4,) float64 of the upright one."""
        corners = np.asarray(box_xyxy, dtype=np.float64)
        if self._orientation == UPRIGHT:
            return corners
        return turn_boxes(corners[None], self._orientation, self.labelled_hw)[0]

    def add(self, box_xyxy: Sequence[float], class_id: int, difficult: bool = False, where: str = "") -> bool:
        """Take one object, or report why its box is broken and drop it; say whether it is taken.

        Args:
            box_xyxy: corners in pixels of what :attr:`labelled_hw` is the size of, not necessarily finite,
                ordered or inside the image.
            class_id: index of its class.
            difficult: VOC's mark.
            where: the object's place in the file and its box as written there, for messages.
        """
        with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is reported
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
        """Return the kind of what is wrong with a box, and say it; two empty strings for a good one."""
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
        """Return the objects taken so far."""
        return Detections(
            np.array(self._boxes, dtype=np.float32).reshape(-1, 4),
            np.array(self._class_ids, dtype=np.int64),
            difficult=np.array(self._difficult, dtype=bool),
        )
