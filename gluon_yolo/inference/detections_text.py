"""Detections as text files: YOLO's annotation format with the score as a sixth column.

A line is ``class cx cy w h score``: class id from 0; centre and size of the box as fractions of the image's
width and height; score. Lines are ordered by descending score. A file without lines means no detections.
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
    """Return detections as text; :func:`read_predictions` restores them to 1e-8 of the image's sides.

    Args:
        found: boxes in the image's pixels, with scores.
        size_hw: height and width of the image in pixels.
    """
    assert found.scores is not None
    height, width = size_hw
    shares = xyxy_to_cxcywh(found.boxes.astype(np.float64)) / (width, height, width, height)
    return "".join(
        f"{class_id} {' '.join(f'{share:.8f}' for share in box)} {score:.6f}\n"
        for class_id, box, score in zip(found.class_ids.tolist(), shares.tolist(), found.scores.tolist())
    )


def read_predictions(path: str | os.PathLike[str], size_hw: tuple[int, int]) -> Detections:
    """Read a file with the text of :func:`format_predictions`.

    Args:
        path: of the file.
        size_hw: height and width of the image in pixels.

    Returns:
        Boxes in the image's pixels, with scores.

    Raises:
        UserError: the file cannot be read, or a line has another format.
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
    """Return the six numbers of a line."""
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
