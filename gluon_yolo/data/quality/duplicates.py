"""Duplicates: images that a data set contains twice, in one part or in several."""

from __future__ import annotations

import dataclasses
import os
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.quality import similar
from gluon_yolo.data.quality.report import BadFile, Issue
from gluon_yolo.text import counted

_ROUNDING = 1.5  # pixels of the smaller image by which a box may differ at another image size


@dataclasses.dataclass(frozen=True)
class Copy:
    """One of several equal or nearly equal images.

    Args:
        part: the part of the data set.
        dataset: the part's images.
        index: of the image in the part.
        digest: of its bytes.
    """

    part: str
    dataset: Dataset
    index: int
    digest: bytes

    @property
    def name(self) -> str:
        """The image's path or key."""
        return self.dataset.name(self.index)

    @property
    def boxes(self) -> int:
        """The number of its objects."""
        return len(self.dataset.annotations(self.index))


def find_groups(
    parts: Mapping[str, Dataset], identical_only: bool = False, chained: bool = False
) -> tuple[list[list[Copy]], list[BadFile]]:
    """Find groups of images that are equal or look the same.

    Args:
        parts: the parts of a data set by name; each image is read once.
        identical_only: compare files byte by byte only.
        chained: whether images are grouped through others, and without regard to their boxes. Otherwise each
            image looks like the first of its group, and has the same boxes or the same bytes.

    Returns:
        Groups of two or more images, in the order of the parts; and files that can no longer be read.
    """
    images = [(part, dataset, index) for part, dataset in parts.items() for index in range(len(dataset))]
    looks = similar.look_at([(dataset, index) for _, dataset, index in images], "comparing pictures")

    def have_same_boxes(one: int, other: int) -> bool:
        return _same_boxes(*images[one][1:], *images[other][1:])

    first = similar.groups(looks, identical_only, chained, None if chained else have_same_boxes)
    groups: dict[int, list[Copy]] = defaultdict(list)
    for look, head, image in zip(looks, first.tolist(), images):
        if not isinstance(look, BadFile):
            groups[head].append(Copy(*image, look.digest))
    bad = [look for look in looks if isinstance(look, BadFile)]
    return [group for group in groups.values() if len(group) > 1], bad


def _same_boxes(dataset: Dataset, index: int, other: Dataset, other_index: int) -> bool:
    """Return whether two images, perhaps of two sizes, have the same objects up to rounding."""
    one, two = dataset.annotations(index), other.annotations(other_index)
    if sorted(one.class_ids.tolist()) != sorted(two.class_ids.tolist()):
        return False
    sides = np.array([size[::-1] * 2 for size in (dataset.size_hw(index), other.size_hw(other_index))], float)
    shares = [each.boxes / side for each, side in zip((one, two), sides)]
    apart = (np.abs(shares[0][:, None] - shares[1]) * sides.min(axis=0)).max(axis=2, initial=0)
    near = (apart <= _ROUNDING) & (one.class_ids[:, None] == two.class_ids)
    free = set(range(len(two)))
    for row in near:
        match = next((place for place in np.flatnonzero(row).tolist() if place in free), None)
        if match is None:
            return False
        free.remove(match)
    return True


def shared_images(parts: Mapping[str, Dataset]) -> list[Issue]:
    """Return an issue for each image that occurred before.

    The same bytes in another part are an error, because they spoil every score; in the same part they are a
    warning. An image that looks the same, recompressed or rescaled, is a warning when it is in another part.
    An image that can no longer be read is an error. A part that equals another part, for example when a
    description gives one folder for both, is intended: one warning reports it.

    Args:
        parts: the parts of a data set by name; each image is read once.
    """
    same = _same_parts(parts)
    others = {part: dataset for part, dataset in parts.items() if part not in same}
    groups, bad = find_groups(others, chained=True)
    found = [Issue("error", each.file, "", each.problem, each.kind) for each in bad]
    for part, other in same.items():
        count = counted(len(parts[part]), "picture", form=",")
        text = f"{other} and {part} are the same {count}, this one and all others"
        found.append(Issue("warning", parts[part].name(0), "", text, "same-part"))
    for group in groups:
        for place, copy in enumerate(group):
            found += _findings(copy, group[:place])
    return found


def _same_parts(parts: Mapping[str, Dataset]) -> dict[str, str]:
    """Return the parts with exactly the files of an earlier part, and the name of that part."""
    files: dict[frozenset[str], str] = {}
    same: dict[str, str] = {}
    for part, dataset in parts.items():
        images = frozenset(os.path.realpath(dataset.name(index)) for index in range(len(dataset)))
        is_of_files = bool(len(dataset)) and os.path.isfile(dataset.name(0))  # not of records
        if is_of_files and files.setdefault(images, part) != part:
            same[part] = files[images]
    return same


def _findings(copy: Copy, before: list[Copy]) -> list[Issue]:
    """Return the issues of an image, given the images of its group that come before it."""
    elsewhere = [other for other in before if other.part != copy.part]
    same = [other for other in before if other.digest == copy.digest]
    same_elsewhere = [other for other in elsewhere if other.digest == copy.digest]
    if same_elsewhere:
        other = same_elsewhere[0]
        text = f"is in {copy.part}, and the same picture in {other.part}: {other.name}"
        return [Issue("error", copy.name, "", text, "shared-picture")]
    if same:
        text = f"is in {copy.part} twice; the same picture: {same[0].name}"
        return [Issue("warning", copy.name, "", text, "shared-picture")]
    if elsewhere:
        other = elsewhere[0]
        text = f"is in {copy.part}, and looks the same as one in {other.part}: {other.name}"
        return [Issue("warning", copy.name, "", text, "similar-picture")]
    return []
