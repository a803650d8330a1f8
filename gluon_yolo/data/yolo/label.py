"""YOLO label files: the text file of one image with a line per object, read and written.

A line is ``class cx cy w h``: the class id from 0, then the box's centre and size relative to the image's
width and height. A segmentation label has a polygon instead, ``class x y x y x y ...``, whose bounding box is
used.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

import numpy as np

from gluon_yolo.data.quality.report import BadFile
from gluon_yolo.data.yolo.other_lines import Outline, classify
from gluon_yolo.detections import Detections

_BOX_NUMBERS = 4
_POLYGON_NUMBERS = 6  # minimum: three corners
_SHOWN = 60
_CLASS_DIGITS = 9
_SHAPE = "expected 'class cx cy w h', or a class and a polygon of three corners or more"
# Corners are rounded to this many steps per pixel, so that 0 is restored: 12 decimals are exact to 1e-8. From
# the eighth pixel on, float32 has no finer steps.
_STEPS_PER_PIXEL = 2.0**20


@dataclasses.dataclass(frozen=True)
class LabelLine:
    """One object as its file gives it, its numbers unchecked.

    Args:
        number: of the line in the file, from 1.
        class_id: the class, from 0.
        shares_xyxy: corners relative to the image's width and height; they may be infinite or unordered.
        written: the numbers as written, for messages.
        outline: for a line with an outline, whose bounding box this is: other meanings of the line.
    """

    number: int
    class_id: int
    shares_xyxy: tuple[float, ...]
    written: str
    outline: Outline | None = None

    @property
    def is_polygon(self) -> bool:
        """Whether the line has an outline, whose bounding box this is."""
        return self.outline is not None

    def box_xyxy(self, size_hw: tuple[int, int]) -> np.ndarray:
        """Return the corners (4,) float64 in pixels of an image of ``size_hw``."""
        height, width = size_hw
        corners = np.array(self.shares_xyxy) * (width, height, width, height)
        with np.errstate(over="ignore"):
            return np.rint(corners * _STEPS_PER_PIXEL) / _STEPS_PER_PIXEL


def read_label(path: str | os.PathLike[str]) -> tuple[LabelLine, ...]:
    """Read a label file; blank lines are ignored, but count as lines.

    Raises:
        BadFile: it cannot be read, or a line is neither a box nor a polygon after a class id.
    """
    path = os.fspath(path)
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise BadFile(path, f"cannot read the label: {error.strerror or error}", "broken-label") from error
    except UnicodeDecodeError as error:
        raise BadFile(path, "the label is not UTF-8 text", "broken-label") from error
    return tuple(_line(path, number, line) for number, line in enumerate(lines, 1) if line.strip())


def write_label(path: str | os.PathLike[str], size_hw: tuple[int, int], truth: Detections) -> None:
    """Write a label file, which :func:`read_label` reads back; it is empty without objects.

    Boxes with integer corners are restored exactly, others within 1e-6 pixels. There is no mark for difficult
    objects.

    Args:
        path: the file to write.
        size_hw: the image's (height, width) in pixels.
        truth: the objects, boxes in pixels.
    """
    height, width = size_hw
    x1, y1, x2, y2 = truth.boxes.astype(np.float64).T
    shares = np.stack([(x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height])
    lines = [
        f"{class_id} {' '.join(f'{share:.12f}' for share in box)}\n"
        for class_id, box in zip(truth.class_ids.tolist(), shares.T.tolist())
    ]
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines)


def looks_like_label(line: str) -> bool:
    """Return whether a line can be an object's, possibly with a name instead of the class id."""
    words = line.split()
    return len(words) > _BOX_NUMBERS and all(_number(word) is not None for word in words[1:])


def _line(path: str, number: int, line: str) -> LabelLine:
    """Parse one line that is not blank."""
    words = line.split()
    shown = line.strip() if len(line) <= _SHOWN else f"{line.strip()[:_SHOWN]}..."
    count = len(words) - 1
    if count != _BOX_NUMBERS and (count < _POLYGON_NUMBERS or count % 2):
        hint = " (the last may be a confidence: take it off)" if count == _BOX_NUMBERS + 1 else ""
        problem = f"line {number}: {_SHAPE}, got {count + 1} words{hint}: {shown!r}"
        raise BadFile(path, problem, "broken-label")
    if not (words[0].isascii() and words[0].isdecimal() and len(words[0]) <= _CLASS_DIGITS):
        problem = f"line {number}: the class id {words[0]!r} is no whole number from 0 on: {shown!r}"
        raise BadFile(path, problem, "broken-label")
    numbers: list[float] = []
    for word in words[1:]:
        value = _number(word)
        if value is None:
            raise BadFile(path, f"line {number}: {word!r} is no number: {shown!r}", "broken-label")
        numbers.append(value)
    if count == _BOX_NUMBERS:
        return LabelLine(number, int(words[0]), _corners(numbers), " ".join(words[1:]))
    points = np.array(numbers).reshape(-1, 2)
    shares = (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
    written = f"a polygon of {len(points)} corners"
    return LabelLine(number, int(words[0]), shares, written, classify(number, numbers))


def _corners(box_cxcywh: Sequence[float]) -> tuple[float, ...]:
    cx, cy, width, height = box_cxcywh
    return cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2


def _number(word: str) -> float | None:
    """Return a number, which may be infinite; None when the word is not a number."""
    try:
        return None if "_" in word else float(word)
    except ValueError:
        return None
