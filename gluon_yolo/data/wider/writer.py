"""WiderWriter: write a data set of one class in WIDER FACE's form."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gluon_yolo.data.classes.read import check_lines, listed
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.wider.layout import CLASSES_FILE, FOLDER, IMAGES, TEXT
from gluon_yolo.data.wider.source import CLASS
from gluon_yolo.data.writer import ImageStore, Writer, file_stem
from gluon_yolo.detections import Detections
from gluon_yolo.errors import SettingError

_EVENT = re.compile(r"\d+--.+")
_NO_EVENT = "0--Pictures"
_NO_FACE = "0 0 0 0 0 0 0 0 0 0"

logger = logging.getLogger("gluon_yolo")


class WiderWriter(Writer):
    """Writes ``WIDER_SPLIT/images/EVENT/`` and ``wider_face_split/wider_face_SPLIT_bbx_gt.txt``.

    The event is the folder of an image whose name begins with a number and ``--``, else ``0--Pictures``.
    Boxes are rounded to whole pixels, since programs for WIDER FACE read integers. ``invalid`` is the mark of
    difficult objects; the other attributes are 0. The name of a class other than ``face`` is in
    ``wider_face_split/classes.txt``, which is an addition.

    Args:
        out: the folder to make.
        class_names: the name of the one class.

    Raises:
        UserError: there are several classes, the folder holds something else, or the name is not one line.
        OSError: the folder cannot be made.
    """

    format = "wider"

    def __init__(self, out: str | os.PathLike[str], class_names: Sequence[str]) -> None:
        if len(class_names) != 1:
            raise SettingError(
                f"WIDER FACE has one class, but the data has {len(class_names)} ({listed(class_names)}): "
                "choose one with {only} NAME, or make them one with {class_map} FILE"
            )
        check_lines(class_names)
        super().__init__(out, class_names)
        self._texts = self.out / FOLDER
        self._texts.mkdir()
        self._rounded = 0

    def write(self, split: str, dataset: Dataset, copy: bool = True) -> None:
        """Write a split's images and its text file; see :meth:`Writer.write`."""
        name = file_stem(split)
        store = ImageStore(self.out / IMAGES.format(name) / "images", event_of)
        images = store.put(dataset, copy, f"writing {split}")
        lines = []
        for index, image in enumerate(images):
            lines += entry_lines(image, self._rows(dataset.annotations(index)))
        text = "".join(f"{line}\n" for line in lines)
        (self._texts / TEXT.format(name)).write_text(text, encoding="utf-8")

    def finish(self) -> Path:
        """Write the class's name; see :meth:`Writer.finish`."""
        if self.class_names != (CLASS,):
            (self._texts / CLASSES_FILE).write_text(f"{self.class_names[0]}\n", encoding="utf-8")
        if self._rounded:
            message = "%s: WIDER FACE's rows hold whole pixels: boxes rounded to them: %d"
            logger.warning(message, self.out, self._rounded)
        return super().finish()

    def _rows(self, truth: Detections) -> list[str]:
        """Return the rows of an image's objects; a side that rounds to nothing is one pixel long."""
        exact = truth.boxes.astype(np.float64)
        starts = np.floor(exact[:, :2] + 0.5)
        sides = np.maximum(np.floor(exact[:, 2:] + 0.5) - starts, 1)
        self._rounded += int((np.hstack([starts, starts + sides]) != exact).any(axis=1).sum())
        invalid = np.zeros(len(truth)) if truth.difficult is None else truth.difficult
        numbers = np.column_stack([starts, sides, invalid]).astype(np.int64).tolist()
        return [f"{x} {y} {w} {h} 0 0 0 {mark} 0 0" for x, y, w, h, mark in numbers]


def entry_lines(image: str, rows: Sequence[str]) -> list[str]:
    """Return an image's lines: its name, the number of its faces, their rows; without any a zero row."""
    return [image, str(len(rows)), *(rows or [_NO_FACE])]


def event_of(name: str) -> str:
    """Return the event of an image by its path: its folder's name, or ``0--Pictures`` for other folders."""
    parts = re.split(r"[/\\]", name)
    return parts[-2] if len(parts) > 1 and _EVENT.fullmatch(parts[-2]) else _NO_EVENT
