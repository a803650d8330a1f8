"""PartFile: a ``.rec`` file while it is being packed, to be gone on with after an interruption."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.atomic import replacing
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.record.file import Frame, NoRecord, RecordFile, TornRecord
from gluon_yolo.data.record.index import write_index
from gluon_yolo.errors import UserError

_LAYOUT = 1
"""Counts up when records are written another way."""


class PartFile:
    """The unfinished ``NAME.rec``: ``NAME.rec.part``, and ``NAME.rec.part.json`` that says of what data.

    Args:
        target: ``NAME.rec``, which appears only when it is whole.
        split: what the file is packed from.
        dataset: its pictures.
    """

    def __init__(self, target: Path, split: str, dataset: Dataset) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self._journal = target.with_name(f"{target.name}.part.json")
        self._recipe = _recipe(split, dataset)

    def begin(self) -> int:
        """Make the file ready to be appended to, and return how many records it has already.

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
        """Cut off what follows the last whole record, and return the whole ones."""
        frames: list[Frame] = []
        try:
            frames.extend(RecordFile(self.path).frames())
        except (NoRecord, TornRecord):
            os.truncate(self.path, frames[-1].end if frames else 0)
        return frames

    def become(self, frames: Sequence[Frame]) -> None:
        """Give the file its name and its ``.idx``, once all is written and verified.

        An old ``.idx`` goes first: a ``.rec`` without one is read all the same, with a wrong one it is not.
        """
        index = self.target.with_suffix(".idx")
        index_part = index.with_name(f"{index.name}.part")
        write_index(index_part, frames)
        index.unlink(missing_ok=True)
        os.replace(self.path, self.target)
        os.replace(index_part, index)
        self.discard()

    def discard(self) -> None:
        """Remove what is left of an unfinished file."""
        self.path.unlink(missing_ok=True)
        self._journal.unlink(missing_ok=True)

    def _check_journal(self) -> None:
        """Make sure that the file was begun from the same data."""
        try:
            found = json.loads(self._journal.read_text(encoding="utf-8"))
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
    """Return what decides the content of a packed file, but for the pictures' own bytes."""
    return {
        "layout": _LAYOUT,
        "split": split,
        "source": dataset.report.title,
        "pictures": len(dataset),
        "class_names": list(dataset.class_names),
        "labels": _fingerprint(dataset),
    }


def _fingerprint(dataset: Dataset) -> str:
    """Return a SHA-256 over the pictures' names, sizes and ground truth, in their order."""
    digest = hashlib.sha256()
    for index in range(len(dataset)):
        truth = dataset.truth(index)
        difficult = np.zeros(len(truth), dtype=bool) if truth.difficult is None else truth.difficult
        # The bare name: the same data may be given by another path.
        name = os.path.basename(dataset.name(index))
        digest.update(f"{name}\n{dataset.size_hw(index)}\n{len(truth)}\n".encode("utf-8", "surrogateescape"))
        for column in (truth.boxes, truth.class_ids, difficult):
            digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()
