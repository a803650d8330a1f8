"""Label orientation: whether a label's boxes refer to the upright or to the stored image, by its image size.

Tools that apply EXIF orientation draw boxes on the upright image, others on the stored one. Labels do not say
which, except by the image size that most formats contain.
"""

from __future__ import annotations

import os
import shlex

from gluon_yolo.data.images.exif import UPRIGHT
from gluon_yolo.data.images.read import Measure
from gluon_yolo.data.quality.annotations import Annotations
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.text import counted


class Labels:
    """Compares the image size in each label of a data set with the image's, and makes its annotations.

    Args:
        report: receives issues and notes.
    """

    def __init__(self, report: DatasetReport) -> None:
        self._report = report
        self._turned: list[str] = []
        self._unclear: list[str] = []
        self._dim: list[str] = []

    def annotations(
        self,
        file: str,
        image: str,
        measure: Measure,
        written_hw: tuple[int, int] | None = None,
        where: str = "",
    ) -> Annotations:
        """Return empty annotations that accept the boxes of a label.

        Args:
            file: the label file, for messages.
            image: the image, for messages.
            measure: the image's measure.
            written_hw: the (height, width) in the label; None without one.
            where: the image's place in the label file, for messages.
        """
        if measure.is_dim:
            self._dim.append(image)
        stored = written_hw == measure.stored_hw != measure.size_hw
        if stored:
            self._turned.append(image)
        elif written_hw is not None and written_hw != measure.size_hw:
            text = "says {1}x{0}, but the picture has {3}x{2} pixels".format(*written_hw, *measure.size_hw)
            self._report.warn("wrong-size", file, text, where)
        if measure.orientation != UPRIGHT and not stored:
            if written_hw is None or measure.stored_hw == measure.size_hw:
                self._unclear.append(image)
        return Annotations(file, measure.size_hw, self._report, measure.orientation if stored else UPRIGHT)

    def note(self, path: str | os.PathLike[str], split: str | None = None) -> None:
        """Note how many images EXIF turns and how their labels were read; called after all labels are read.

        Args:
            path: the path for `data show` to see them.
            split: the split for it; None for its default.
        """
        named = f" --split {shlex.quote(split)}" if split else ""
        look = f"; see whether they fit: gluon-yolo data show {shlex.quote(os.fspath(path))}{named} --turned"
        if self._turned:
            self._note(self._turned, "labelled at the size before turning: the boxes are turned too", look)
        if self._unclear:
            though = ", unlike others here" if self._turned else ""
            what = "where no size tells whether the boxes are turned too: they are taken to be"
            self._note(self._unclear, f"{what}{though}", look)
        if self._dim:
            what = "of 16 bits a sample, none above a quarter of white: read as stored, dark"
            self._report.notes.append(f"{_counted(self._dim)} {what}; the first: {self._dim[0]}")

    def _note(self, images: list[str], what: str, look: str) -> None:
        note = f"{_counted(images)} turned by EXIF, {what}; the first: {images[0]}{look}"
        self._report.notes.append(note)


def _counted(images: list[str]) -> str:
    return counted(len(images), "picture", form=",")
