"""DatasetReport: the counts of a data set, and the issues found while it was read."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Sequence

import numpy as np

from gluon_yolo.data.quality.units import UnitCheck
from gluon_yolo.detections import Detections
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.text import counted

_CLASSES_SHOWN = 20
_ERRORS_SHOWN = 50

# All kinds of issues, named as `data check --json` prints them, with the advice for each.
ADVICE = {
    "unreadable-picture": "save the picture anew or get it again, or take it out of the data",
    "missing-picture": "put the picture back, or take its label and its line in the list out",
    "missing-label": "label the picture; if it shows no object, give it a label without objects",
    "background-picture": "label the picture if it shows an object; else nothing is wrong",
    "broken-label": "correct the label at the place named, or take it and its picture out",
    "unknown-class": "correct the class, or add it to the class names",
    "lookalike-classes": "write the class the same way everywhere",
    "wrong-size": "see whether the boxes fit the picture (`gluon-yolo data show`): if so, only the size is "
    "wrong, else the picture was changed after it was labelled: get the old one back, or label it anew",
    "not-finite": "correct the numbers of the box, or delete the box",
    "swapped-corners": "draw the box anew: its right or lower edge comes first",
    "no-area": "delete the box, or draw it anew",
    "outside": "delete the box, or draw it anew: no part of it is in the picture",
    "reaches-out": "draw the box within the picture; training clips it",
    "wrong-units": "write the boxes anew: VOC has corners in pixels, COCO x y width height in pixels, YOLO "
    "centre and size as shares of the picture's sides",
    "duplicate-box": "delete one of the two boxes",
    "shared-picture": "keep the picture in one place: scores on pictures that were trained on flatter",
    "same-part": "hold pictures out for one part alone: scores on what was trained on, or chosen by, flatter",
    "similar-picture": "keep both in one part, as `data split` does, or drop one with `data dedupe`",
    "shared-label": "keep the picture that was labelled, or give each a name of its own, and a label",
    "stray-label": "take the label out, or add its picture to the data",
    "unused-picture": "add the picture to a list, or take it out of the folder",
}


class BadFile(UserError):
    """An image or label that cannot be used; a reader collects them in one :class:`DatasetReport`.

    Args:
        file: path of the file.
        problem: what is wrong with it.
        kind: a key of :data:`ADVICE`.
    """

    def __init__(self, file: str, problem: str, kind: str) -> None:
        super().__init__(file, problem, kind)  # all arguments, so that the error can be pickled
        self.file = file
        self.problem = problem
        self.kind = kind

    def __str__(self) -> str:
        return f"{self.file}: {self.problem}"


@dataclasses.dataclass(frozen=True)
class Issue:
    """One issue of a data set.

    Args:
        severity: ``"error"`` when an image cannot be used, ``"warning"`` when it can.
        file: the file with the issue.
        where: the place in it, such as ``"object 13"``; empty for the whole file.
        message: what is wrong.
        kind: a key of :data:`ADVICE`.
        box_xyxy: the corners of the box with the issue, as in its file, in pixels; None without a box.
    """

    severity: str
    file: str
    where: str
    message: str
    kind: str
    box_xyxy: tuple[float, ...] | None = dataclasses.field(default=None, compare=False)

    @property
    def advice(self) -> str:
        """What to do about the issue."""
        return ADVICE[self.kind]

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.where, self.message) if part)


@dataclasses.dataclass
class DatasetReport:
    """Counts and issues of one data set.

    Args:
        title: the data set and its split, such as ``"BCCD trainval"``.
        images: number of images that can be used.
        boxes: number of their boxes.
        per_class: number of boxes of each class, in the order of the class names.
        empty_images: number of images without an object.
        difficult: number of boxes marked difficult.
        broken_boxes: number of boxes dropped because they have no area, no place in the image, or no numbers.
        crowd_boxes: number of boxes dropped because they mark a crowd (COCO).
        skipped: number of images that cannot be used, or whose label cannot.
        issues: all issues in the order of reading.
        notes: what the user should know that is not an issue, such as how a split was chosen.
        units: whether the boxes seem to be in other units.
    """

    title: str
    images: int = 0
    boxes: int = 0
    per_class: dict[str, int] = dataclasses.field(default_factory=dict)
    empty_images: int = 0
    difficult: int = 0
    broken_boxes: int = 0
    crowd_boxes: int = 0
    skipped: int = 0
    issues: list[Issue] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    units: UnitCheck = dataclasses.field(default_factory=UnitCheck, repr=False, compare=False)

    @property
    def errors(self) -> list[Issue]:
        """The issues that make an image unusable."""
        return [issue for issue in self.issues if issue.severity == "error"]

    @property
    def warnings(self) -> list[Issue]:
        """The issues of images that can be used."""
        return [issue for issue in self.issues if issue.severity == "warning"]

    def skip(self, bad_files: Sequence[BadFile]) -> None:
        """Record images that cannot be used, one for each bad file."""
        self.skipped += len(bad_files)
        self.issues += [Issue("error", bad.file, "", bad.problem, bad.kind) for bad in bad_files]

    def warn(
        self, kind: str, file: str, message: str, where: str = "", box_xyxy: Iterable[float] | None = None
    ) -> None:
        """Record an issue of ``file`` that does not make it unusable."""
        corners = None if box_xyxy is None else tuple(float(corner) for corner in box_xyxy)
        self.issues.append(Issue("warning", str(file), where, message, kind, corners))

    def count(self, truths: Iterable[Detections], class_names: Sequence[str]) -> None:
        """Set the counts of images and boxes from the annotations of every image."""
        totals = np.zeros(len(class_names), dtype=np.int64)
        for truth in truths:
            totals += np.bincount(truth.class_ids, minlength=len(class_names))
            self.images += 1
            self.empty_images += len(truth) == 0
            self.difficult += 0 if truth.difficult is None else int(truth.difficult.sum())
        self.boxes = int(totals.sum())
        self.per_class = {name: int(total) for name, total in zip(class_names, totals)}
        doubt = self.units.doubt()
        if doubt:  # first, because the other issues follow from it
            self.issues.insert(0, Issue("warning", doubt[0], "", doubt[1], "wrong-units"))

    def summary_line(self) -> str:
        """Return the one line about the data that every run prints first."""
        boxes = counted(self.boxes, "box", form=",")
        parts = [counted(self.images, "picture", form=","), f"{boxes}{self._class_counts()}"]
        parts.append(f"{self.empty_images:,} without objects")
        if self.difficult:
            parts.append(f"{self.difficult:,} marked difficult")
        if self.crowd_boxes:
            parts.append(f"{counted(self.crowd_boxes, 'crowd box', form=',')} left out")
        parts.append(f"{counted(self.broken_boxes, 'broken box', form=',')} dropped")
        if self.skipped:
            parts.append(f"{counted(self.skipped, 'picture', form=',')} left out that cannot be used")
        return f"{self.title}: {', '.join(parts)}"

    def _class_counts(self) -> str:
        """Return `` (RBC 3,406, WBC 300)``, shortened for many classes."""
        names = list(self.per_class)
        shown = [f"{name} {self.per_class[name]:,}" for name in names[:_CLASSES_SHOWN]]
        if len(names) > _CLASSES_SHOWN:
            shown.append(counted(len(names) - _CLASSES_SHOWN, "more class"))
        return f" ({', '.join(shown)})" if shown else ""

    def log(self, limit: int = 20) -> None:
        """Log the summary line, the notes, and at most ``limit`` issues, one per line."""
        logger = logging.getLogger("gluon_yolo")
        logger.info(self.summary_line())
        for note in self.notes:
            logger.info("%s: %s", self.title, note)
        issues = self.issues if self.skipped else self.warnings
        for issue in issues[:limit]:
            logger.warning("%s", issue)
        if len(issues) > limit:
            more = counted(len(issues) - limit, "more finding")
            logger.warning("%s: %s like these", self.title, more)

    def raise_if_errors(self, skip_bad: bool, usable: int) -> None:
        """Raise an error about all files that cannot be used, unless they may be skipped.

        Args:
            skip_bad: skip such files.
            usable: number of images that remain.

        Raises:
            UserError: there are such files and ``skip_bad`` is False, and the message lists them; or no image
                remains.
        """
        errors = self.errors
        if not errors or (skip_bad and usable):
            return
        if skip_bad:
            raise UserError(f"{self.title}: not one picture can be used, the first: {errors[0]}")
        count = counted(len(errors), "file", form=",")
        lines = "".join(f"\n  {issue}" for issue in errors[:_ERRORS_SHOWN])
        if len(errors) > _ERRORS_SHOWN:
            more = f"{len(errors) - _ERRORS_SHOWN:,} more"
            lines += f"\n  and {more}; `gluon-yolo data check PATH --all` lists every one"
        advice = "Repair them, or leave them out with {skip_bad}"
        raise SettingError(f"{self.title}: {count} cannot be used:{lines}\n{advice}")
