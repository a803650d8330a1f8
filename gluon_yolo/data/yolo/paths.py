"""Where YOLO's files lie: the pictures that lists and folders name, and their labels."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.data.images.files import (
    EXTENSIONS,
    StemFolder,
    is_picture,
    is_unread_picture,
    left_out,
    pictures_below,
)
from gluon_yolo.data.keras.lines import LISTS, has_boxes
from gluon_yolo.data.path_finder import PathFinder, nothing_beside
from gluon_yolo.data.quality.report import BadFile
from gluon_yolo.data.text_file import first_line, read_text
from gluon_yolo.errors import UserError
from gluon_yolo.text import counted

LABEL = ".txt"
_IMAGES = ("images", "jpegimages")
_LABELS = ("labels", "Labels", "LABELS")


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
    if path.suffix.lower() not in LISTS or not path.is_file():
        return False
    line = first_line(path)
    return (is_picture(line) or is_unread_picture(line)) and not has_boxes(path)


def label_paths(picture: str) -> list[str]:
    """Return the places where a picture's label may lie, the usual one first.

    ``images/train/1.jpg`` has ``labels/train/1.txt``: the last folder called ``images`` (or ``JPEGImages``)
    becomes ``labels``. Otherwise the label lies beside the picture. Letter case may be another.
    """
    beside = f"{os.path.splitext(picture)[0]}{LABEL}"
    parts = beside.split(os.sep)
    last = max((i for i, part in enumerate(parts[:-1]) if part.lower() in _IMAGES), default=None)
    if last is None:
        return [beside]
    before = os.sep.join(parts[:last])
    there = (name for name in _LABELS if os.path.isdir(os.path.join(before or os.curdir, name)))
    labels = next(there, _LABELS[0])
    return [os.sep.join([*parts[:last], labels, *parts[last + 1 :]]), beside]


class LabelFinder:
    """Finds the labels of pictures, whatever the letter case of their ending, or of their stem."""

    def __init__(self) -> None:
        self._labels: dict[str, StemFolder] = {}
        self._pictures: dict[str, StemFolder] = {}

    def find_all(self, picture: str) -> list[str]:
        """Return the paths of a picture's label files, the usual one first; more than one must be alike."""
        found: list[str] = []
        for place in label_paths(picture):
            folder, name = os.path.split(place)
            if folder not in self._labels:
                self._labels[folder] = StemFolder(folder, (LABEL,))
            stem, labels = os.path.splitext(name)[0], self._labels[folder]
            found += labels.find_all(stem) or ([place] if os.path.isfile(place) else [])
            if not found and self._is_only(picture, stem):
                found += labels.in_any_case(stem)
        return found

    def _is_only(self, picture: str, stem: str) -> bool:
        """Say whether no other picture beside this one has its stem in another letter case."""
        folder = os.path.dirname(picture)
        if folder not in self._pictures:
            self._pictures[folder] = StemFolder(folder, EXTENSIONS)
        return bool(self._pictures[folder].in_any_case(stem))


def are_from_here(places: Sequence[Path], bases: Sequence[Path]) -> bool:
    """Say whether the lists of a data set, all of its splits, name pictures from the current folder.

    Args:
        places: list files and folders of all splits.
        bases: folders that relative paths may be relative to, beside a list's own.
    """
    if any(place.is_dir() for place in places):
        return False
    return all(nothing_beside(written_in(place), [place.parent, *bases], os.path.isfile) for place in places)


def list_pictures(places: Sequence[Path], bases: Sequence[Path], from_here: bool = False) -> Listing:
    """Return the pictures that list files name, or that lie in folders.

    Args:
        places: list files, one path a line, and folders.
        bases: folders that relative paths may be relative to, beside a list's own.
        from_here: whether they may be relative to the current folder.

    Raises:
        UserError: a list cannot be read.
    """
    listing = Listing()
    for place in places:
        if place.is_dir():
            listing.pictures += pictures_below(place)
            listing.notes += [note for note in [left_out(place)] if note]
        else:
            _read_list(place, PathFinder([place.parent, *bases], os.path.isfile, from_here), listing)
    unique: dict[str, str] = {}
    for picture in listing.pictures:
        unique.setdefault(os.path.abspath(picture), picture)
    again = len(listing.pictures) - len(unique)
    if again:
        listing.notes.append(f"{counted(again, 'picture', form=',')} listed again, and taken once")
    listing.pictures = list(unique.values())
    return listing


def nothing_in(places: Sequence[Path]) -> str:
    """Say that there is no picture in lists and folders, and what there is."""
    advice = "" if all(place.is_dir() for place in places) else "; a list names one picture a line"
    unread = [note for note in (left_out(place) for place in places if place.is_dir()) if note]
    return f"{' '.join(map(str, places))}: no picture in it{advice}{''.join(f'; {note}' for note in unread)}"


def written_in(path: Path) -> list[str]:
    """Return the lines of a list; none where it cannot be read, which reading it says."""
    try:
        return [line.strip() for line in read_text(path, "the list").splitlines() if line.strip()]
    except UserError:
        return []


def _read_list(path: Path, finder: PathFinder, listing: Listing) -> None:
    """Add the pictures of one list file."""
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
