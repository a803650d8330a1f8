"""Data check: open a whole data set and collect all its issues, without changing it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

from gluon_yolo.data.classes.read import lookalikes
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.quality.duplicates import shared_images
from gluon_yolo.data.quality.report import Issue
from gluon_yolo.data.quality.statistics import Counts
from gluon_yolo.data.source import Source

# Issues that do not harm training, or may be intended; issues of all other kinds are errors.
WARNINGS = frozenset(
    ("reaches-out", "duplicate-box", "lookalike-classes", "unused-picture", "same-part")
    + ("similar-picture", "shared-label", "background-picture")
)


@dataclasses.dataclass(frozen=True)
class Check:
    """The content and the issues of a data set.

    Args:
        source: the data set.
        parts: its opened parts, with the images that can be used.
        counts: the counts of each part.
        notes: notes of the readers, which are not issues.
        issues: each once, errors first; ``"error"`` is wrong data, ``"warning"`` may be intended.
    """

    source: Source
    parts: Mapping[str, Dataset]
    counts: Mapping[str, Counts]
    notes: tuple[str, ...]
    issues: tuple[Issue, ...]

    @property
    def errors(self) -> int:
        """The number of errors."""
        return sum(issue.severity == "error" for issue in self.issues)

    @property
    def warnings(self) -> int:
        """The number of warnings."""
        return len(self.issues) - self.errors


def check(source: Source, class_names: Sequence[str] | None = None) -> Check:
    """Open every part of a data set, and collect its issues.

    The readers find issues of single files, labels and boxes. This function adds labels and images that no
    part uses, classes with two spellings, and images that occur twice.

    Args:
        source: the data set; all its parts are opened, with the images that can be used.
        class_names: the class names; None takes the source's own.

    Raises:
        UserError: a part is so broken that it cannot be opened.
    """
    splits = source.parts()
    class_names = class_names or source.class_names(tuple(splits.values()))
    parts = {part: source.open(split, class_names, skip_bad=True) for part, split in splits.items()}
    read = [issue for dataset in parts.values() for issue in dataset.report.issues]
    # Readers report lookalikes too, but do not know the counts over all parts.
    read = [issue for issue in read if issue.kind != "lookalike-classes"]
    found = [_graded(issue) for issue in (*read, *source.orphans(), *lookalike_classes(source, parts))]
    found += shared_images(parts)
    found.sort(key=lambda issue: issue.severity)  # "error" comes before "warning"
    return Check(
        source=source,
        parts=parts,
        counts={part: Counts.of(dataset) for part, dataset in parts.items()},
        notes=(
            *source.remarks(),
            *(f"{part}: {note}" for part, dataset in parts.items() for note in dataset.report.notes),
        ),
        issues=tuple(dict.fromkeys(found)),
    )


def _graded(issue: Issue) -> Issue:
    """Return an issue with the severity of its kind; a reader's severity says whether it can continue."""
    return dataclasses.replace(issue, severity="warning" if issue.kind in WARNINGS else "error")


def lookalike_classes(source: Source, parts: Mapping[str, Dataset]) -> list[Issue]:
    """Return a warning for each class whose name differs from a more common one in case or blanks only."""
    class_names = next(iter(parts.values())).class_names
    boxes: Counter[str] = Counter()
    for dataset in parts.values():
        boxes.update(dataset.report.per_class)
    found = []
    for group in lookalikes(class_names):
        usual, *others = sorted(group, key=lambda name: -boxes[name])
        for name in others:
            text = f"the class {name!r} (boxes: {boxes[name]:,}) differs only in case or blanks "
            text += f"from {usual!r} (boxes: {boxes[usual]:,})"
            file, box_xyxy = _first_use(parts, class_names.index(name)) or (str(source.path), None)
            found.append(Issue("warning", file, "", text, "lookalike-classes", box_xyxy))
    return found


def _first_use(parts: Mapping[str, Dataset], class_id: int) -> tuple[str, tuple[float, ...]] | None:
    """Return the name of the first image with a class, and its first box of that class."""
    for dataset in parts.values():
        for index in range(len(dataset)):
            boxes = dataset.annotations(index).boxes[dataset.annotations(index).class_ids == class_id]
            if len(boxes):
                return dataset.name(index), tuple(boxes[0].tolist())
    return None
