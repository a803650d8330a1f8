"""What an image record holds before the picture: mxnet's header, and ImageDetIter's label of boxes.

The header is flag, label, id and id2. A flag above 0 is the number of float32 labels that follow; after
them comes the encoded picture. The labels of detection are ``A, B, (extra header), objects``: A is the
width of this header, B that of an object, and an object is ``class id, xmin, ymin, xmax, ymax, ...`` with
corners as shares of the picture's width and height. Read are any A from 2 and B from 5; with A from 4 the
extra header begins with the picture's width and height, and with B from 6 an object's sixth number is VOC's
mark "difficult".

Written are A = 4 and B = 6. A picture without objects gets one row of class -1 with the whole picture as
its box. mxnet takes a negative class for padding, and ImageDetIter passes such a picture over; a file with
a record that has no row at all is refused by ImageDetIter, ImageDetRecordIter and GluonCV's
RecordFileDetection, and one whose row has no area by the first. (GluonCV's own YOLO training would take
that row for an object.)
"""

from __future__ import annotations

import math
import struct

import numpy as np

from gluon_yolo.structures import Detections

HEADER = struct.Struct("<IfQQ")
_HEADER_WIDTH, _OBJECT_WIDTH = 4, 6
_LEAST_HEADER_WIDTH, _LEAST_OBJECT_WIDTH = 2, 5
_NO_OBJECT = (-1, 0, 0, 1, 1, 0)
_STEP = 2.0**-11
_SHARE_BITS = 24


class RecordLabel:
    """The objects of one record.

    Args:
        values: the record's float32 labels.

    Attributes:
        size_hw: (height, width) of the picture in pixels as the label gives them; None where it does not.
        class_ids: (N,) class ids; rows of padding, which have a negative class id, are left out.
        corners: (N, 4) float32 corners as written, mostly as shares of width and height.
        difficult: (N,) bool.

    Raises:
        ValueError: that is no label of detection; says why.
    """

    def __init__(self, values: np.ndarray) -> None:
        header_width, object_width = self._widths(values)
        rows = values[header_width:].reshape(-1, object_width)
        ids = rows[:, 0]
        if not (np.isfinite(ids).all() and (ids == np.floor(ids)).all()):
            row = int(np.argmax(~(np.isfinite(ids) & (ids == np.floor(ids)))))
            raise ValueError(f"object {row + 1} has the class id {ids[row]:g}, which is no whole number")
        rows = rows[ids >= 0]
        self.size_hw = _size_hw(values) if header_width >= _HEADER_WIDTH else None
        self.class_ids = rows[:, 0].astype(np.int64)
        self.corners = rows[:, 1:5]
        self.difficult = rows[:, 5] > 0 if object_width >= _OBJECT_WIDTH else np.zeros(len(rows), dtype=bool)

    @staticmethod
    def _widths(values: np.ndarray) -> tuple[int, int]:
        """Return A and B, when all the numbers fit them."""
        if len(values) < _LEAST_HEADER_WIDTH:
            raise ValueError(
                "no label of boxes (header width, object width, objects); is it of classification?"
            )
        header_width, object_width = (float(width) for width in values[:2])
        fit = (
            _LEAST_HEADER_WIDTH <= header_width <= len(values)
            and object_width >= _LEAST_OBJECT_WIDTH
            and header_width.is_integer()
            and object_width.is_integer()
            and (len(values) - header_width) % object_width == 0
        )
        if not fit:
            raise ValueError(
                f"{len(values)} numbers, the first {header_width:g} and {object_width:g}, are no label of "
                "boxes: expected the header's width (from 2), an object's width (from 5), and whole objects"
            )
        return int(header_width), int(object_width)

    def boxes_px(self, size_hw: tuple[int, int]) -> np.ndarray:
        """Return (N, 4) float64 corners in pixels of a picture of this size, the shares multiplied out.

        A float32 share does not give a pixel exactly; rounding to 1/2048 brings whole pixels back, and in
        pictures larger than 8192 a coarser step of the precision that the shares have there.
        """
        height, width = size_hw
        step = max(_STEP, 2.0 ** (math.ceil(math.log2(max(size_hw))) - _SHARE_BITS))
        boxes = self.corners.astype(np.float64) * (width, height, width, height)
        return np.round(boxes / step) * step


def label_count(header: bytes) -> int:
    """Return how many labels follow the header.

    Raises:
        ValueError: the header is not all there.
    """
    if len(header) < HEADER.size:
        raise ValueError(f"{len(header)} bytes are fewer than an image record's header has")
    return HEADER.unpack(header[: HEADER.size])[0]


def encode_label(truth: Detections, size_hw: tuple[int, int], key: int) -> bytes:
    """Return the header and the labels of a picture's record.

    Args:
        truth: boxes in pixels of the picture.
        size_hw: the picture's (height, width) in pixels.
        key: the record's key.
    """
    height, width = size_hw
    rows = np.zeros((len(truth), _OBJECT_WIDTH))
    rows[:, 0] = truth.class_ids
    rows[:, 1:5] = truth.boxes.astype(np.float64) / (width, height, width, height)
    rows[:, 5] = 0 if truth.difficult is None else truth.difficult
    objects = rows.ravel() if len(truth) else np.array(_NO_OBJECT)
    values = np.concatenate([(_HEADER_WIDTH, _OBJECT_WIDTH, width, height), objects]).astype("<f4")
    return HEADER.pack(len(values), 0.0, key, 0) + values.tobytes()


def _size_hw(values: np.ndarray) -> tuple[int, int] | None:
    """Return the size in the extra header, or None where those numbers mean something else."""
    width, height = float(values[2]), float(values[3])
    if width.is_integer() and height.is_integer() and min(width, height) >= 1:
        return int(height), int(width)
    return None
