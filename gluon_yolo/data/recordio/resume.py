"""PartFile: a ``.rec`` file during packing, which can be resumed after an interruption."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo import json_text
from gluon_yolo.atomic_io import replacing
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.loading.workers import threaded_map
from gluon_yolo.data.quality.report import BadFile
from gluon_yolo.data.recordio.file import Frame, NoRecord, RecordFile, TornRecord
from gluon_yolo.data.recordio.image_record import HEADER, read_label
from gluon_yolo.data.recordio.index import write_index
from gluon_yolo.errors import UserError
from gluon_yolo.text import counted

_TOLERANCE_PX = 1e-3


def differences(file: RecordFile, frames: Sequence[Frame], dataset: Dataset, title: str) -> list[str]:
    """Compare every record with its image, and return a line for each record that differs.

    Args:
        file: the packed file.
        frames: its records.
        dataset: the data set that it was packed from.
        title: of the progress bar.

    Raises:
        BadFile: an image of the data set can no longer be read.
    """
    if len(frames) != len(dataset):
        images = counted(len(dataset), "picture", form=",")
        return [f"it has {counted(len(frames), 'record', form=',')}, the data has {images}"]

    def difference(key: int) -> str:
        what = _difference(file, frames[key], key, dataset)
        return f"record {key} ({dataset.name(key)}): {what}" if what else ""

    return [line for line in threaded_map(difference, range(len(frames)), title) if line]


def _difference(file: RecordFile, frame: Frame, key: int, dataset: Dataset) -> str:
    """Return how one record differs from its image; empty when it does not."""
    try:
        label, place = read_label(file, key, frame)
        written_key = HEADER.unpack(file.read(frame, 0, HEADER.size))[2]
        image = place.image_bytes()
    except BadFile as error:
        return error.problem
    truth, size_hw = dataset.annotations(key), dataset.size_hw(key)
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
    if image != dataset.encoded(key):
        return "its picture has other bytes than the file"
    return ""


_LAYOUT = 1
"""Increases when the layout of records changes."""


class PartFile:
    """The unfinished ``NAME.rec``: ``NAME.rec.part``, and ``NAME.rec.part.json``, which describes its data.

    Args:
        target: ``NAME.rec``, which exists only when it is complete.
        split: the split that the file is packed from.
        dataset: its images.
    """

    def __init__(self, target: Path, split: str, dataset: Dataset) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self._journal = target.with_name(f"{target.name}.part.json")
        self._recipe = _recipe(split, dataset)

    def begin(self) -> int:
        """Prepare the file for appending, and return how many records it already has.

        Raises:
            UserError: other data was being packed there.
            OSError: it cannot be written.
        """
        if self.path.exists():
            self._check_journal()
            return len(self.cut_torn_tail())
        with replacing(self._journal) as part:
            part.write_text(json.dumps(self._recipe, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        self.path.touch()
        return 0

    def cut_torn_tail(self) -> list[Frame]:
        """Remove what follows the last complete record, and return the complete ones."""
        frames: list[Frame] = []
        try:
            frames.extend(RecordFile(self.path).frames())
        except (NoRecord, TornRecord):
            os.truncate(self.path, frames[-1].end if frames else 0)
        return frames

    def become(self, frames: Sequence[Frame]) -> None:
        """Rename the file to its target and write its ``.idx``, after all is written and verified.

        An old ``.idx`` is deleted first: a ``.rec`` can be read without an ``.idx``, but not with a wrong
        one.
        """
        index = self.target.with_suffix(".idx")
        index_part = index.with_name(f"{index.name}.part")
        write_index(index_part, frames)
        index.unlink(missing_ok=True)
        os.replace(self.path, self.target)
        os.replace(index_part, index)
        self.discard()

    def discard(self) -> None:
        """Delete the parts of an unfinished file."""
        self.path.unlink(missing_ok=True)
        self._journal.unlink(missing_ok=True)

    def _check_journal(self) -> None:
        """Check that the file was begun from the same data."""
        try:
            found = json_text.loads(self._journal.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}
        if found == self._recipe:
            return
        was = (
            f"{found['source']} ({found['pictures']:,} pictures)"
            if "source" in found
            else "something unknown"
        )
        now = f"{self._recipe['source']} ({self._recipe['pictures']:,} pictures)"
        raise UserError(
            f"{self.path}: was begun from {was}, which is not, or no longer, the same as {now}; delete this "
            "file to begin anew, or name another folder"
        )


def _recipe(split: str, dataset: Dataset) -> dict[str, Any]:
    """Return what determines the content of a packed file, except the images' bytes."""
    return {
        "layout": _LAYOUT,
        "split": split,
        "source": dataset.report.title,
        "pictures": len(dataset),
        "class_names": list(dataset.class_names),
        "labels": _fingerprint(dataset),
    }


def _fingerprint(dataset: Dataset) -> str:
    """Return a SHA-256 of the images' names, sizes and annotations, in order."""
    digest = hashlib.sha256()
    for index in range(len(dataset)):
        truth = dataset.annotations(index)
        difficult = np.zeros(len(truth), dtype=bool) if truth.difficult is None else truth.difficult
        # Only the base name: the same data may be at another path.
        name = os.path.basename(dataset.name(index))
        digest.update(f"{name}\n{dataset.size_hw(index)}\n{len(truth)}\n".encode("utf-8", "surrogateescape"))
        for column in (truth.boxes, truth.class_ids, difficult):
            digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()
