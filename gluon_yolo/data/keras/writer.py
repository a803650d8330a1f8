"""KerasWriter: write a data set as keras-yolo3's lists, with its images."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.data.classes.read import check_lines
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.writer import ImageStore, Writer, file_stem
from gluon_yolo.detections import Detections

NAMES_FILE = "classes.txt"

logger = logging.getLogger("gluon_yolo")


class KerasWriter(Writer):
    """Writes ``SPLIT.txt``, the split's images in ``SPLIT/``, and ``classes.txt``.

    Lists name ``SPLIT/1.jpg``: keras-yolo3 reads such paths from the current folder, so it must be started in
    this folder. The format has no mark for difficult objects.

    Args:
        out: the folder to make.
        class_names: C names.

    Raises:
        UserError: the folder holds something else, or a file of names cannot hold a name.
        OSError: the folder cannot be made.
    """

    format = "keras"

    def __init__(self, out: str | os.PathLike[str], class_names: Sequence[str]) -> None:
        check_lines(class_names)
        super().__init__(out, class_names)
        self._difficult = 0

    def write(self, split: str, dataset: Dataset, copy: bool = True) -> None:
        """Write a split's images and its list; see :meth:`Writer.write`."""
        name = file_stem(split)
        images = ImageStore(self.out / name).put(dataset, copy, f"writing {split}")
        lines = []
        for index, image in enumerate(images):
            truth = dataset.annotations(index)
            lines.append(" ".join([f"{name}/{image}", *written_boxes(truth)]))
            self._difficult += 0 if truth.difficult is None else int(truth.difficult.sum())
        (self.out / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def finish(self) -> Path:
        """Write the class names; see :meth:`Writer.finish`."""
        names = "".join(f"{name}\n" for name in self.class_names)
        (self.out / NAMES_FILE).write_text(names, encoding="utf-8")
        if self._difficult:
            message = "%s: keras-yolo3's lists have no mark for difficult: %d lost it"
            logger.warning(message, self.out, self._difficult)
        return super().finish()


def written_boxes(truth: Detections) -> list[str]:
    """Return the words of an image's objects; corners have at most four decimals."""
    return [
        ",".join([*(f"{corner:.4f}".rstrip("0").rstrip(".") for corner in box), str(class_id)])
        for box, class_id in zip(truth.boxes.tolist(), truth.class_ids.tolist())
    ]
