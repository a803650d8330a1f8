"""ImageLabel: the content of a YOLO image's label file, and warnings about all labels of a split."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from gluon_yolo.data.images.read import Measure
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.data.yolo.label import LabelLine
from gluon_yolo.data.yolo.other_lines import Outline
from gluon_yolo.text import counted


@dataclasses.dataclass(frozen=True)
class ImageLabel:
    """The content of one image's label; ``objects`` is None without a label file."""

    image: str
    label: str
    measure: Measure
    objects: tuple[LabelLine, ...] | None

    @property
    def outlines(self) -> list[Outline]:
        """The lines with outlines."""
        return [thing.outline for thing in self.objects or () if thing.outline is not None]


def warn_of_missing(records: Sequence[ImageLabel], report: DatasetReport) -> None:
    """Warn about images without a label file: in one line when other images have one.

    Many programs treat such images as background. When no image has a label, the labels are elsewhere.
    """
    missing = [record for record in records if record.objects is None]
    if not missing or len(missing) == len(records):
        for record in missing:
            text = f"has no label file {record.label}; taken as a picture without objects"
            report.warn("missing-label", record.image, text)
        return
    more = f", nor have {counted(len(missing) - 1, 'more picture', form=',')}" if len(missing) > 1 else ""
    text = f"has no label file {missing[0].label}{more}: taken as background, pictures without objects"
    report.warn("background-picture", missing[0].image, text)


def note_outlines(records: Sequence[ImageLabel], report: DatasetReport) -> None:
    """Add a note with the number of outlined objects, of which only the boxes are used."""
    polygons = sum(thing.is_polygon for record in records for thing in record.objects or ())
    if polygons:
        report.notes.append(f"{counted(polygons, 'object', form=',')} outlined by polygons, taken as boxes")


def warn_of_shared(records: Sequence[ImageLabel], report: DatasetReport) -> None:
    """Warn about labels that belong to several images, such as ``a.jpg`` and ``a.png``."""
    images: dict[str, list[str]] = {}
    for record in records:
        if record.objects is not None:
            images.setdefault(record.label, []).append(record.image)
    for label, several in images.items():
        if len(several) > 1:
            report.warn("shared-label", label, f"is taken as the label of each of {', '.join(several)}")
