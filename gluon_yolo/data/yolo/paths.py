"""Where YOLO's files lie: the pictures that lists and folders name, and their labels."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.data.keras.lines import LISTS, has_boxes
from gluon_yolo.data.path_finder import PathFinder
from gluon_yolo.data.pictures import is_picture, pictures_below
from gluon_yolo.data.report import BadFile
from gluon_yolo.data.text_file import first_line, read_text

_LABELS = {"images": "labels", "JPEGImages": "labels"}


@dataclasses.dataclass
class Listing:
    """The pictures of a split.

    Args:
        pictures: their paths, each once, in the order of the lists, those of a folder by name.
        missing: for each listed picture that is not there, where it is listed.
        notes: what the user should know of the lists.
    """

    pictures: list[str] = dataclasses.field(default_factory=list)
    missing: list[BadFile] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)


def is_picture_list(path: Path) -> bool:
    """Say whether a file is a list of pictures: its first line names one, and none has boxes behind it."""
    if path.suffix.lower() not in LISTS or not path.is_file() or not is_picture(first_line(path)):
        return False
    return not has_boxes(path)


def label_paths(picture: str) -> list[str]:
    """Return the places where a picture's label may lie, the usual one first.

    ``images/train/1.jpg`` has ``labels/train/1.txt``: the last folder called ``images`` (or ``JPEGImages``)
    becomes ``labels``. Otherwise the label lies beside the picture.
    """
    beside = f"{os.path.splitext(picture)[0]}.txt"
    parts = beside.split(os.sep)
    last = max((i for i, part in enumerate(parts[:-1]) if part in _LABELS), default=None)
    if last is None:
        return [beside]
    return [os.sep.join([*parts[:last], _LABELS[parts[last]], *parts[last + 1 :]]), beside]


def list_pictures(places: Sequence[Path], bases: Sequence[Path]) -> Listing:
    """Return the pictures that list files name, or that lie in folders.

    Args:
        places: list files, one path a line, and folders.
        bases: folders that relative paths may be relative to, beside a list's own and the current one.

    Raises:
        UserError: a list cannot be read.
    """
    listing = Listing()
    for place in places:
        if place.is_dir():
            listing.pictures += pictures_below(place)
        else:
            _read_list(place, bases, listing)
    unique: dict[str, str] = {}
    for picture in listing.pictures:
        unique.setdefault(os.path.abspath(picture), picture)
    again = len(listing.pictures) - len(unique)
    if again:
        listing.notes.append(f"{again:,} lines name a picture that is listed before; it is taken once")
    listing.pictures = list(unique.values())
    return listing


def _read_list(path: Path, bases: Sequence[Path], listing: Listing) -> None:
    """Add the pictures of one list file."""
    finder = PathFinder([path.parent, *bases], os.path.isfile)
    for number, line in enumerate(read_text(path, "the list").splitlines(), 1):
        written = line.strip()
        if not written:
            continue
        picture = finder.find(written)
        if picture is None:
            problem = f"line {number}: {finder.problem(written)}"
            listing.missing.append(BadFile(str(path), problem, "missing-picture"))
        else:
            listing.pictures.append(picture)
    listing.notes += finder.notes(path.name)
