"""Check: open all of a data set and gather everything that is wrong with it. It changes nothing."""

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

# What training can live with, or may be meant so; every other kind of finding is wrong data.
WARNINGS = frozenset(
    ("reaches-out", "duplicate-box", "lookalike-classes", "unused-picture", "same-part")
    + ("similar-picture", "shared-label", "background-picture")
)


@dataclasses.dataclass(frozen=True)
class Check:
    """What a data set holds, and what is wrong with it.

    Args:
        source: the data set.
        parts: its opened parts, of those images that can be used.
        counts: what each part holds.
        notes: what the readers say that is not wrong.
        findings: each once, errors first; ``"error"`` is what is wrong, ``"warning"`` what may be meant so.
    """

    source: Source
    parts: Mapping[str, Dataset]
    counts: Mapping[str, Counts]
    notes: tuple[str, ...]
    issues: tuple[Issue, ...]

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(issue.severity == "error" for issue in self.issues)

    @property
    def warnings(self) -> int:
        """How many findings are warnings."""
        return len(self.issues) - self.errors


def check(source: Source, class_names: Sequence[str] | None = None) -> Check:
    """Open every part of a data set, and look for what is wrong.

    The readers find what is wrong with single files, labels and boxes. Added are labels and images that no
    part uses, classes that are written in two ways, and images that are there twice.

    Args:
        source: the data set; all its parts are opened, what can be used of them.
        class_names: the class names, where not the source's own.

    Raises:
        UserError: a part is broken beyond opening what is good of it.
    """
    splits = source.parts()
    class_names = class_names or source.class_names(tuple(splits.values()))
    parts = {part: source.open(split, class_names, skip_bad=True) for part, split in splits.items()}
    read = [issue for dataset in parts.values() for issue in dataset.report.issues]
    # Readers report lookalikes as well, but cannot say where each is used over all parts.
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
    """Return a finding with the severity that its kind has here; a reader's says whether it can go on."""
    return dataclasses.replace(issue, severity="warning" if issue.kind in WARNINGS else "error")


def lookalike_classes(source: Source, parts: Mapping[str, Dataset]) -> list[Issue]:
    """Return a warning for each class whose name differs from a more common one only in case or blanks."""
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
    """Return the first box of a class, after the name of its image."""
    for dataset in parts.values():
        for index in range(len(dataset)):
            boxes = dataset.annotations(index).boxes[dataset.annotations(index).class_ids == class_id]
            if len(boxes):
                return dataset.name(index), tuple(boxes[0].tolist())
    return None
