"""Whether a packed file holds what the data set holds that it was packed from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.parallel import threaded_map
from gluon_yolo.data.record.file import Frame, RecordFile
from gluon_yolo.data.record.label import HEADER
from gluon_yolo.data.record.picture import read_label
from gluon_yolo.data.report import BadFile
from gluon_yolo.text import counted

_TOLERANCE_PX = 1e-3


def differences(file: RecordFile, frames: Sequence[Frame], dataset: Dataset, title: str) -> list[str]:
    """Compare every record with its picture, and return what differs: a line for each such record.

    Args:
        file: the packed file.
        frames: its records.
        dataset: what it was packed from.
        title: of the progress bar.

    Raises:
        BadFile: a picture of the data set can no longer be read.
    """
    if len(frames) != len(dataset):
        pictures = counted(len(dataset), "picture", form=",")
        return [f"it has {counted(len(frames), 'record', form=',')}, the data has {pictures}"]

    def difference(key: int) -> str:
        what = _difference(file, frames[key], key, dataset)
        return f"record {key} ({dataset.name(key)}): {what}" if what else ""

    return [line for line in threaded_map(difference, range(len(frames)), title) if line]


def _difference(file: RecordFile, frame: Frame, key: int, dataset: Dataset) -> str:
    """Return how one record differs from its picture; empty when it does not."""
    try:
        label, place = read_label(file, key, frame)
        written_key = HEADER.unpack(file.read(frame, 0, HEADER.size))[2]
        picture = place.picture_bytes()
    except BadFile as error:
        return error.problem
    truth, size_hw = dataset.truth(key), dataset.size_hw(key)
    difficult = np.zeros(len(truth), dtype=bool) if truth.difficult is None else truth.difficult
    if written_key != key:
        return f"its id is {written_key}"
    if label.size_hw != size_hw:
        return f"its size is {label.size_hw}, the picture's (height, width) is {size_hw}"
    if not np.array_equal(label.class_ids, truth.class_ids):
        return "its objects or their classes are others"
    if not np.array_equal(label.difficult, difficult):
        return "its difficult marks are others"
    if np.abs(label.boxes_px(size_hw) - truth.boxes).max(initial=0) > _TOLERANCE_PX:
        return f"its boxes are others by more than {_TOLERANCE_PX:g} pixels"
    if picture != dataset.encoded(key):
        return "its picture has other bytes than the file"
    return ""
