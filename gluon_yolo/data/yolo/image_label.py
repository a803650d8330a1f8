"""ImageLabel: what the label file of a YOLO image says, and what is said of all of them together."""

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
    """What was read of one image; ``objects`` is None where it has no label file."""

    image: str
    label: str
    measure: Measure
    objects: tuple[LabelLine, ...] | None

    @property
    def outlines(self) -> list[Outline]:
        """The lines that give outlines."""
        return [thing.outline for thing in self.objects or () if thing.outline is not None]


def warn_of_missing(records: Sequence[ImageLabel], report: DatasetReport) -> None:
    """Warn of images without a label file: in one line where others have one.

    Many programs take such images for background. Where no image has a label, these lie elsewhere.
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
    """Note how many objects are outlined, since a box is all that is taken."""
    polygons = sum(thing.is_polygon for record in records for thing in record.objects or ())
    if polygons:
        report.notes.append(f"{counted(polygons, 'object', form=',')} outlined by polygons, taken as boxes")


def warn_of_shared(records: Sequence[ImageLabel], report: DatasetReport) -> None:
    """Warn of labels that count for several images, as for ``a.jpg`` and ``a.png``."""
    images: dict[str, list[str]] = {}
    for record in records:
        if record.objects is not None:
            images.setdefault(record.label, []).append(record.image)
    for label, several in images.items():
        if len(several) > 1:
            report.warn("shared-label", label, f"is taken as the label of each of {', '.join(several)}")
