"""Labels: of which image a label's boxes are, the upright or the stored one, by the size that it gives.

Tools that know EXIF's orientation draw boxes on the upright image, others on the stored one; the label does
not say which, but for the size that most formats have beside the boxes.
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
    """Compares the size that each label of a data set gives with its image's, and begins its truth.

    Args:
        report: where findings and notes go.
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
        """Return an empty truth that takes the boxes of a label.

        Args:
            file: the annotation, as messages name it.
            image: the image, likewise.
            measure: what reading it told.
            written_hw: the (height, width) that the label gives; None where it gives none.
            where: the image's place in the annotation, for messages.
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
        """Note, once all labels are read, how many images EXIF turns, and how their labels were taken.

        Args:
            path: what to give to `data show` to see them.
            split: the split to name there; None for the one that it takes itself.
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
