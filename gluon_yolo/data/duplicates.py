"""Duplicates: pictures that a data set has twice, in one part or in several."""

from __future__ import annotations

import dataclasses
import os
from collections import defaultdict
from collections.abc import Mapping

from gluon_yolo.data import similar
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.report import BadFile, Finding
from gluon_yolo.text import counted


@dataclasses.dataclass(frozen=True)
class Copy:
    """A picture that is there several times, or nearly so.

    Args:
        part: of the data set.
        dataset: the part's pictures.
        index: of the picture among them.
        digest: of its bytes.
    """

    part: str
    dataset: Dataset
    index: int
    digest: bytes

    @property
    def name(self) -> str:
        """The picture's path or key."""
        return self.dataset.name(self.index)

    @property
    def boxes(self) -> int:
        """How many objects its label has."""
        return len(self.dataset.truth(self.index))


def find_groups(
    parts: Mapping[str, Dataset], identical_only: bool = False
) -> tuple[list[list[Copy]], list[BadFile]]:
    """Find pictures that are there several times.

    Args:
        parts: the parts of a data set, by name; each picture is read once.
        identical_only: compare files byte by byte alone.

    Returns:
        Groups of two pictures or more, in the order of the parts; and what can no longer be read.
    """
    pictures = [(part, dataset, index) for part, dataset in parts.items() for index in range(len(dataset))]
    looks = similar.look_at([(dataset, index) for _, dataset, index in pictures], "comparing pictures")
    first = similar.groups(looks, identical_only)
    groups: dict[int, list[Copy]] = defaultdict(list)
    for look, head, picture in zip(looks, first.tolist(), pictures):
        if not isinstance(look, BadFile):
            groups[head].append(Copy(*picture, look.digest))
    bad = [look for look in looks if isinstance(look, BadFile)]
    return [group for group in groups.values() if len(group) > 1], bad


def shared_pictures(parts: Mapping[str, Dataset]) -> list[Finding]:
    """Return a finding for each picture that came before.

    The same bytes are an error where that was in another part, which spoils every score, and a warning where
    it was in the same. A picture that looks the same, compressed or scaled anew, is a warning where it was in
    another part. A picture that can no longer be read is an error as well. A part that is all of another, as
    where a description gives one folder for both, is meant so: one warning says it.

    Args:
        parts: the parts of a data set, by name; each picture is read once.
    """
    same = _same_parts(parts)
    groups, bad = find_groups({part: dataset for part, dataset in parts.items() if part not in same})
    found = [Finding("error", each.file, "", each.problem, each.kind) for each in bad]
    for part, other in same.items():
        count = counted(len(parts[part]), "picture", form=",")
        text = f"{other} and {part} are the same {count}, this one and all others"
        found.append(Finding("warning", parts[part].name(0), "", text, "same-part"))
    for group in groups:
        for place, copy in enumerate(group):
            found += _findings(copy, group[:place])
    return found


def _same_parts(parts: Mapping[str, Dataset]) -> dict[str, str]:
    """Return the parts that have all the very files of one before them, and which one that is."""
    files: dict[frozenset[str], str] = {}
    same: dict[str, str] = {}
    for part, dataset in parts.items():
        pictures = frozenset(os.path.realpath(dataset.name(index)) for index in range(len(dataset)))
        is_of_files = bool(len(dataset)) and os.path.isfile(dataset.name(0))  # and not of records
        if is_of_files and files.setdefault(pictures, part) != part:
            same[part] = files[pictures]
    return same


def _findings(copy: Copy, before: list[Copy]) -> list[Finding]:
    """Return what to say of a picture, of which those came before it that show the same."""
    elsewhere = [other for other in before if other.part != copy.part]
    same = [other for other in before if other.digest == copy.digest]
    same_elsewhere = [other for other in elsewhere if other.digest == copy.digest]
    if same_elsewhere:
        other = same_elsewhere[0]
        text = f"is in {copy.part}, and the same picture in {other.part}: {other.name}"
        return [Finding("error", copy.name, "", text, "shared-picture")]
    if same:
        text = f"is in {copy.part} twice; the same picture: {same[0].name}"
        return [Finding("warning", copy.name, "", text, "shared-picture")]
    if elsewhere:
        other = elsewhere[0]
        text = f"is in {copy.part}, and looks the same as one in {other.part}: {other.name}"
        return [Finding("warning", copy.name, "", text, "similar-picture")]
    return []
