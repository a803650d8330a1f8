"""PictureLabel: what the label file of a YOLO picture says, and what is said of all of them together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from gluon_yolo.data.images.read import Measure
from gluon_yolo.data.quality.report import Report
from gluon_yolo.data.yolo.label import LabelLine
from gluon_yolo.data.yolo.other_lines import Outline
from gluon_yolo.text import counted


@dataclasses.dataclass(frozen=True)
class PictureLabel:
    """What was read of one picture; ``objects`` is None where it has no label file."""

    picture: str
    label: str
    measure: Measure
    objects: tuple[LabelLine, ...] | None

    @property
    def outlines(self) -> list[Outline]:
        """The lines that give outlines."""
        return [thing.outline for thing in self.objects or () if thing.outline is not None]


def warn_of_missing(records: Sequence[PictureLabel], report: Report) -> None:
    """Warn of pictures without a label file: in one line where others have one.

    Many programs take such pictures for background. Where no picture has a label, these lie elsewhere.
    """
    missing = [record for record in records if record.objects is None]
    if not missing or len(missing) == len(records):
        for record in missing:
            text = f"has no label file {record.label}; taken as a picture without objects"
            report.warn("missing-label", record.picture, text)
        return
    more = f", nor have {counted(len(missing) - 1, 'more picture', form=',')}" if len(missing) > 1 else ""
    text = f"has no label file {missing[0].label}{more}: taken as background, pictures without objects"
    report.warn("background-picture", missing[0].picture, text)


def note_outlines(records: Sequence[PictureLabel], report: Report) -> None:
    """Note how many objects are outlined, since a box is all that is taken."""
    polygons = sum(thing.is_polygon for record in records for thing in record.objects or ())
    if polygons:
        report.notes.append(f"{counted(polygons, 'object', form=',')} outlined by polygons, taken as boxes")


def warn_of_shared(records: Sequence[PictureLabel], report: Report) -> None:
    """Warn of labels that count for several pictures, as for ``a.jpg`` and ``a.png``."""
    pictures: dict[str, list[str]] = {}
    for record in records:
        if record.objects is not None:
            pictures.setdefault(record.label, []).append(record.picture)
    for label, several in pictures.items():
        if len(several) > 1:
            report.warn("shared-label", label, f"is taken as the label of each of {', '.join(several)}")
