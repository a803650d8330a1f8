"""Predictions: what was found in an image as a text file, in YOLO's form with a score behind each box.

A line is ``class cx cy w h score``: the class id, counted from 0; the box's centre and size as shares of the
image's width and height; the score. The best comes first; a file without lines says that nothing was found.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

from gluon_yolo.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh
from gluon_yolo.data.text_file import read_text
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError

_WORDS = 6
_EXPECTED = "expected 'class cx cy w h score'"


def format_predictions(found: Detections, size_hw: tuple[int, ...]) -> str:
    """Return the lines of a file that :func:`read_predictions` reads back, to 1e-8 of the image's sides.

    Args:
        found: boxes in the image's pixels, with scores.
        size_hw: of the image.
    """
    assert found.scores is not None
    height, width = size_hw
    shares = xyxy_to_cxcywh(found.boxes.astype(np.float64)) / (width, height, width, height)
    return "".join(
        f"{class_id} {' '.join(f'{share:.8f}' for share in box)} {score:.6f}\n"
        for class_id, box, score in zip(found.class_ids.tolist(), shares.tolist(), found.scores.tolist())
    )


def read_predictions(path: str | os.PathLike[str], size_hw: tuple[int, int]) -> Detections:
    """Read what :func:`format_predictions` wrote.

    Args:
        path: of the file.
        size_hw: of the image.

    Returns:
        Boxes in the image's pixels, with scores.

    Raises:
        UserError: it cannot be read, or a line is none of these.
    """
    path = os.fspath(path)
    rows = [
        _row(path, number, line)
        for number, line in enumerate(read_text(path, "the predictions").splitlines(), 1)
        if line.strip()
    ]
    if not rows:
        return Detections.empty(scored=True)
    table = np.array(rows)
    height, width = size_hw
    boxes = cxcywh_to_xyxy(table[:, 1:5] * (width, height, width, height))
    return Detections(boxes, table[:, 0], table[:, 5])


def _row(path: str, number: int, line: str) -> list[float]:
    """Return a line's six numbers."""
    words = line.split()
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    class_id = words[0].isascii() and words[0].isdecimal()
    if len(values) != _WORDS or not class_id or not all(map(math.isfinite, values)):
        raise UserError(f"{Path(path)}: line {number}: {_EXPECTED}, got {line.strip()[:60]!r}")
    if values[3] < 0 or values[4] < 0 or not 0 <= values[5] <= 1:
        raise UserError(
            f"{Path(path)}: line {number}: a size below 0, or a score outside 0..1: {line.strip()!r}"
        )
    return values
