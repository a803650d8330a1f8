"""A record as a packed picture: its label, and where in the file the picture's own bytes lie."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gluon_yolo.data.parallel import threaded_map
from gluon_yolo.data.record.file import Frame, RecordFile, TornRecord
from gluon_yolo.data.record.index import open_index, record_name
from gluon_yolo.data.record.label import HEADER, RecordLabel, label_count
from gluon_yolo.data.report import BadFile

# Read in one go: the header and the labels of 40 objects. Records with more cost a second read.
_READ_FIRST = 1024


class Place(NamedTuple):
    """Where a picture lies.

    Args:
        file: the ``.rec`` file.
        key: the record's key.
        frame: the record.
        start: the picture's first byte in the record's data.
    """

    file: RecordFile
    key: int
    frame: Frame
    start: int

    @property
    def name(self) -> str:
        """What messages call the picture."""
        return record_name(self.file.path, self.key)

    @property
    def size(self) -> int:
        """Bytes of the encoded picture."""
        return self.frame.size - self.start

    def picture_bytes(self) -> bytes:
        """Return the encoded picture.

        Raises:
            BadFile: it cannot be read.
        """
        try:
            return self.file.read(self.frame, self.start)
        except (OSError, ValueError) as error:
            raise BadFile(self.name, f"cannot read the picture: {error}", "unreadable-picture") from error


def read_label(file: RecordFile, key: int, frame: Frame) -> tuple[RecordLabel, Place]:
    """Read a record's label, and find its picture.

    Raises:
        BadFile: it cannot be read, or is no label of boxes.
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
    """Return how many class names the labels of ``.rec`` files call for: the highest class id and one.

    Records that cannot be read are passed over where others can: :func:`open_record` will report them.

    Raises:
        UserError: a file is missing or none, its ``.idx`` does not fit it, or no record can be read.
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
