"""UnitCheck: whether the boxes of a data set look as if their units were not those of its format."""

from __future__ import annotations

from collections import Counter

import numpy as np

_FEWEST = 10  # boxes, below which nothing is concluded
_LARGER = 8  # times the longer side: beyond is no slip of a hand
_LONG_SIDE = 32  # pixels, from which a box of one pixel is no object
_PIXELS_OF_GRACE = 1.0
# For each look the share of all boxes from which it says something, and what.
_LOOKS = {
    "small": (
        0.5,
        "lie within one pixel: they seem to be shares of the picture's width and height where this format "
        "has pixels",
    ),
    "large": (
        0.5,
        "are many times as large as their picture: they seem to be in pixels where this format has shares of "
        "the picture's width and height, such as 0.25, or to be of a larger picture",
    ),
    "out": (
        0.25,
        "reach out of their picture: they seem to be corners x1 y1 x2 y2 where this format has a size, or to "
        "be of a larger picture",
    ),
}


class UnitCheck:
    """Counts boxes that no image has when numbers are taken for what they are meant to be.

    Single boxes are slips, which :class:`~gluon_yolo.data.quality.annotations.Annotations` reports; that
    many are a mistake in the making of the data.
    """

    def __init__(self) -> None:
        self._boxes = 0
        self._counts: Counter[str] = Counter()
        self._files: dict[str, str] = {}

    def add(self, file: str, corners: np.ndarray, size_hw: tuple[int, int]) -> None:
        """Take one box.

        Args:
            file: the annotation.
            corners: ``x1, y1, x2, y2`` in pixels, as the format has them, unchecked.
            size_hw: the image's (height, width) in pixels.
        """
        self._boxes += 1
        height, width = size_hw
        x1, y1, x2, y2 = corners.tolist()  # plain numbers: there may be a million boxes
        longest, farthest = max(size_hw), max(abs(x1), abs(y1), abs(x2), abs(y2))
        look = ""
        if farthest > _LARGER * longest:
            look = "large"
        elif farthest <= 1 and longest >= _LONG_SIDE:
            look = "small"
        elif x2 > width + _PIXELS_OF_GRACE or y2 > height + _PIXELS_OF_GRACE:
            look = "out"
        if look:
            self._counts[look] += 1
            self._files.setdefault(look, file)

    def doubt(self) -> tuple[str, str] | None:
        """Return the first file with such boxes and what is wrong with them; None where units seem right."""
        for look, (share, text) in _LOOKS.items():
            if self._boxes >= _FEWEST and self._counts[look] > share * self._boxes:
                return self._files[
                    look
                ], f"{self._counts[look]:,} of {self._boxes:,} boxes, from here on, {text}"
        return None
