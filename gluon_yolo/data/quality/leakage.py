"""Leakage: validation images that are also training images, by path or as a copy of the file."""

from __future__ import annotations

import functools
import os
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.loading.workers import threaded_map
from gluon_yolo.data.path_finder import MovedNote
from gluon_yolo.data.quality.report import BadFile
from gluon_yolo.data.quality.similar import digest_of


class Shared(NamedTuple):
    """The validation images that are also training images.

    Args:
        same: images that are the same file, by any path.
        copies: other images with the bytes of a training image, and that image's name.
        moved: a folder in which both were found although their lists name other folders: the folder that the
            training part names, the one that the validation part names, and the folder; None without one.
        is_all: whether the parts are equal, image for image, so that this is intended.
    """

    same: tuple[str, ...]
    copies: tuple[tuple[str, str], ...]
    moved: tuple[str, str, str] | None
    is_all: bool

    @property
    def number(self) -> int:
        """The number of images."""
        return len(self.same) + len(self.copies)

    def first(self) -> str:
        """Return the name of one of them."""
        return self.same[0] if self.same else "{}, a copy of {}".format(*self.copies[0])


@functools.lru_cache(maxsize=1)  # called twice for the same parts: before a run begins, and for its log
def shared(train: Dataset, val: Dataset) -> Shared:
    """Return the images of one part that are also in the other; images of equal size are read to compare."""
    files = {os.path.realpath(train.name(index)) for index in range(len(train))}
    same: list[int] = []
    others: list[int] = []
    for index in range(len(val)):
        (same if os.path.realpath(val.name(index)) in files else others).append(index)
    copies = tuple(_copies(train, val, others))
    moved = _moved(train, val) if same else None
    is_all = len(same) + len(copies) == len(val) == len(train) and not moved
    again = all(
        os.path.basename(one) == os.path.basename(other) or not os.path.isfile(one) for one, other in copies
    )
    return Shared(tuple(val.name(index) for index in same), copies, moved, is_all and again)


def _copies(train: Dataset, val: Dataset, indices: Iterable[int]) -> list[tuple[str, str]]:
    """Return images of ``val`` with the bytes of an image of ``train``, each with that image's name."""
    by_size: dict[int | None, list[int]] = defaultdict(list)
    for index in range(len(train)):
        by_size[_size(train, index)].append(index)
    sizes = {index: _size(val, index) for index in indices}
    alike = [(train, index) for size in dict.fromkeys(sizes.values()) for index in by_size.get(size, ())]
    candidates = [(val, index) for index, size in sizes.items() if size in by_size]
    if not candidates:
        return []
    digests = threaded_map(_digest, [*alike, *candidates], "comparing pictures")
    first = {digest: train.name(index) for digest, (_, index) in zip(digests, alike) if digest}
    found = zip(digests[len(alike) :], candidates)
    return [(val.name(index), first[digest]) for digest, (_, index) in found if digest in first]


def _size(dataset: Dataset, index: int) -> int | None:
    """Return the size of an image in bytes; None when it is gone."""
    try:
        return dataset.encoded_size(index)
    except (OSError, ValueError, BadFile):
        return None


def _digest(image: tuple[Dataset, int]) -> bytes:
    """Return the digest of an image's bytes; empty when they can no longer be read."""
    dataset, index = image
    try:
        return digest_of(dataset.encoded(index))
    except BadFile:
        return b""


def _moved(train: Dataset, val: Dataset) -> tuple[str, str, str] | None:
    """Return the ``moved`` of :class:`Shared`."""
    trained, validated = _written(train), _written(val)
    for found in {**trained, **validated}:
        if trained[found] != validated[found]:
            return trained[found] or found, validated[found] or found, found
    return None


def _written(dataset: Dataset) -> dict[str, str]:
    """Return the folder name in the lists for each folder where images were found; empty for unmoved ones."""
    names: dict[str, str] = defaultdict(str)
    for note in dataset.report.notes:
        if isinstance(note, MovedNote):
            names[note.found] += f" and {note.written}" if names[note.found] else note.written
    return names
