"""UnitCheck: detect boxes whose units are not those of their format."""

from __future__ import annotations

from collections import Counter

import numpy as np

_FEWEST = 10  # with fewer boxes nothing is concluded
_LARGER = 8  # times the longer side: a larger coordinate is not a drawing error
_LONG_SIDE = 32  # pixels; in an image with a longer side, a box of one pixel is not an object
_PIXELS_OF_GRACE = 1.0
# For each sign of wrong units: the share of boxes above which it is reported, and the text.
_SIGNS = {
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
    """Counts boxes that are implausible in the units of their format.

    :class:`~gluon_yolo.data.quality.annotations.Annotations` reports single boxes, which are drawing errors;
    many of them show an error in the conversion of the data.
    """

    def __init__(self) -> None:
        self._boxes = 0
        self._counts: Counter[str] = Counter()
        self._files: dict[str, str] = {}

    def add(self, file: str, corners: np.ndarray, size_hw: tuple[int, int]) -> None:
        """Count one box.

        Args:
            file: the label file.
            corners: (4,) ``x1, y1, x2, y2`` in pixels, as the format gives them, unchecked.
            size_hw: the image's (height, width) in pixels.
        """
        self._boxes += 1
        height, width = size_hw
        x1, y1, x2, y2 = corners.tolist()  # Python numbers, for speed: there may be a million boxes
        longest, farthest = max(size_hw), max(abs(x1), abs(y1), abs(x2), abs(y2))
        sign = ""
        if farthest > _LARGER * longest:
            sign = "large"
        elif farthest <= 1 and longest >= _LONG_SIDE:
            sign = "small"
        elif x2 > width + _PIXELS_OF_GRACE or y2 > height + _PIXELS_OF_GRACE:
            sign = "out"
        if sign:
            self._counts[sign] += 1
            self._files.setdefault(sign, file)

    def doubt(self) -> tuple[str, str] | None:
        """Return the first file with implausible boxes and what is wrong; None when the units seem right."""
        for sign, (share, text) in _SIGNS.items():
            if self._boxes >= _FEWEST and self._counts[sign] > share * self._boxes:
                return self._files[
                    sign
                ], f"{self._counts[sign]:,} of {self._boxes:,} boxes, from here on, {text}"
        return None
