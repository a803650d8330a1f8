"""Image records: the label of a record, and the position of the image's bytes in the file."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gluon_yolo.data.loading.workers import threaded_map
from gluon_yolo.data.quality.report import BadFile
from gluon_yolo.data.recordio.file import Frame, RecordFile, TornRecord
from gluon_yolo.data.recordio.index import open_index, record_name
from gluon_yolo.detections import Detections

HEADER = struct.Struct("<IfQQ")
_HEADER_WIDTH, _OBJECT_WIDTH = 4, 6
_LEAST_HEADER_WIDTH, _LEAST_OBJECT_WIDTH = 2, 5
_NO_OBJECT = (-1, 0, 0, 1, 1, 0)
_MOST_CLASSES = 1_000_000
_STEP = 2.0**-11
_SHARE_BITS = 24


class RecordLabel:
    """The objects of one record.

    Args:
        values: the record's float32 labels.

    Attributes:
        size_hw: (height, width) of the image in pixels from the label; None when it has none.
        class_ids: (N,) class ids; padding rows, whose class id is negative, are dropped.
        corners: (N, 4) float32 corners as written, normally relative to width and height.
        difficult: (N,) bool.

    Raises:
        ValueError: the values are not a detection label; the message says why.
    """

    def __init__(self, values: np.ndarray) -> None:
        header_width, object_width = self._widths(values)
        rows = values[header_width:].reshape(-1, object_width)
        ids = rows[:, 0]
        wrong = ~((ids == np.floor(ids)) & (np.abs(ids) < _MOST_CLASSES))
        if wrong.any():
            row = int(np.argmax(wrong))
            limit = f"whole number below {_MOST_CLASSES:,}"
            raise ValueError(f"object {row + 1} has the class id {ids[row]:g}, which is no {limit}")
        rows = rows[ids >= 0]
        self.size_hw = _size_hw(values) if header_width >= _HEADER_WIDTH else None
        self.class_ids = rows[:, 0].astype(np.int64)
        self.corners = rows[:, 1:5]
        self.difficult = rows[:, 5] > 0 if object_width >= _OBJECT_WIDTH else np.zeros(len(rows), dtype=bool)

    @staticmethod
    def _widths(values: np.ndarray) -> tuple[int, int]:
        """Return the widths of header and object, when all values fit them."""
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
        """Return (N, 4) float64 corners in pixels of an image of this size, from relative corners.

        A relative float32 number does not give a pixel exactly. Rounding to 1/2048 pixel restores whole
        pixels; in images larger than 8192 pixels, the step is the precision of the relative numbers.
        """
        height, width = size_hw
        step = max(_STEP, 2.0 ** (math.ceil(math.log2(max(size_hw))) - _SHARE_BITS))
        boxes = self.corners.astype(np.float64) * (width, height, width, height)
        return np.round(boxes / step) * step


def label_count(header: bytes) -> int:
    """Return the number of labels after the header.

    Raises:
        ValueError: the header is incomplete.
    """
    if len(header) < HEADER.size:
        raise ValueError(f"{len(header)} bytes are fewer than an image record's header has")
    return HEADER.unpack(header[: HEADER.size])[0]


def encode_label(truth: Detections, size_hw: tuple[int, int], key: int) -> bytes:
    """Return the header and the labels of an image's record.

    Args:
        truth: boxes in pixels of the image.
        size_hw: the image's (height, width) in pixels.
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
    """Return the image size in the extended header; None when its numbers mean something else."""
    width, height = float(values[2]), float(values[3])
    if width.is_integer() and height.is_integer() and min(width, height) >= 1:
        return int(height), int(width)
    return None


# Bytes of the first read: the header and the labels of 40 objects. Records with more need a second read.
_READ_FIRST = 1024


class Place(NamedTuple):
    """The position of an image.

    Args:
        file: the ``.rec`` file.
        key: the record's key.
        frame: the record.
        start: the image's first byte in the record's data.
    """

    file: RecordFile
    key: int
    frame: Frame
    start: int

    @property
    def name(self) -> str:
        """The image's name in messages."""
        return record_name(self.file.path, self.key)

    @property
    def size(self) -> int:
        """The number of bytes of the encoded image."""
        return self.frame.size - self.start

    def image_bytes(self) -> bytes:
        """Return the encoded image.

        Raises:
            BadFile: it cannot be read.
        """
        try:
            return self.file.read(self.frame, self.start)
        except (OSError, ValueError) as error:
            raise BadFile(self.name, f"cannot read the picture: {error}", "unreadable-picture") from error


def read_label(file: RecordFile, key: int, frame: Frame) -> tuple[RecordLabel, Place]:
    """Read a record's label, and find its image.

    Raises:
        BadFile: it cannot be read, or is not a label of boxes.
    """
    try:
        begin = file.read(frame, 0, _READ_FIRST)
        count = label_count(begin)
        stop = HEADER.size + 4 * count
        if stop > frame.size:
            raise ValueError(f"its header says {count:,} labels follow, but the record ends before that")
        if stop > len(begin):
            begin = file.read(frame, 0, stop)
        label = RecordLabel(np.frombuffer(begin, dtype="<f4", count=count, offset=HEADER.size))
    except TornRecord as error:
        raise BadFile(record_name(file.path, key), f"cut short: {error}", "unreadable-picture") from error
    except ValueError as error:
        raise BadFile(record_name(file.path, key), str(error), "broken-label") from error
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        raise BadFile(record_name(file.path, key), problem, "unreadable-picture") from error
    return label, Place(file, key, frame, stop)


def class_id_count(paths: Sequence[str | os.PathLike[str]]) -> int:
    """Return the number of class names that the labels of ``.rec`` files need: the highest class id plus one.

    Records that cannot be read are skipped when others can: :func:`open_record` reports them.

    Raises:
        UserError: a file is missing or empty, its ``.idx`` does not match it, or no record can be read.
    """
    indexes = [open_index(path) for path in paths]
    items = [(index.file, key, frame) for index in indexes for key, frame in index.frames.items()]
    found = threaded_map(_class_id_count, items, "reading class ids")
    counts = [count for count in found if not isinstance(count, BadFile)]
    bad = [torn for index in indexes for torn in index.bad]
    bad += [each for each in found if isinstance(each, BadFile)]
    if bad and not counts:
        raise bad[0]
    return max(counts, default=0)


def _class_id_count(item: tuple[RecordFile, int, Frame]) -> int | BadFile:
    try:
        return int(read_label(*item)[0].class_ids.max(initial=-1)) + 1
    except BadFile as error:
        return error
