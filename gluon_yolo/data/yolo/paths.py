"""Paths of YOLO data sets: the images of lists and folders, and their labels."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.data.images.files import (
    EXTENSIONS,
    StemFolder,
    images_below,
    is_image,
    is_unread_image,
    left_out,
)
from gluon_yolo.data.keras.lines import LISTS, has_boxes
from gluon_yolo.data.path_finder import PathFinder, nothing_beside
from gluon_yolo.data.quality.report import BadFile
from gluon_yolo.data.text_file import first_line, read_text
from gluon_yolo.data.wider.layout import is_text
from gluon_yolo.errors import UserError
from gluon_yolo.text import counted

LABEL = ".txt"
_IMAGES = ("images", "jpegimages")
_LABELS = ("labels", "Labels", "LABELS")


@dataclasses.dataclass
class Listing:
    """The images of a split.

    Args:
        images: their paths, each once, in the order of the lists; those of a folder by name.
        missing: for each listed image that does not exist, where it is listed.
        notes: what the user should know about the lists.
    """

    images: list[str] = dataclasses.field(default_factory=list)
    missing: list[BadFile] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)


def is_image_list(path: Path) -> bool:
    """Return whether a file is a list of images: its first line names one, and no line has boxes.

    WIDER FACE's text, which has rows behind each image, is none by its name.
    """
    if path.suffix.lower() not in LISTS or not path.is_file() or is_text(path):
        return False
    line = first_line(path)
    return (is_image(line) or is_unread_image(line)) and not has_boxes(path)


def label_paths(image: str) -> list[str]:
    """Return the possible paths of an image's label, the usual one first.

    ``images/train/1.jpg`` has ``labels/train/1.txt``: the last folder called ``images`` (or ``JPEGImages``)
    becomes ``labels``. Otherwise the label is beside the image. The letter case may differ.
    """
    beside = f"{os.path.splitext(image)[0]}{LABEL}"
    parts = beside.split(os.sep)
    last = max((i for i, part in enumerate(parts[:-1]) if part.lower() in _IMAGES), default=None)
    if last is None:
        return [beside]
    before = os.sep.join(parts[:last])
    there = (name for name in _LABELS if os.path.isdir(os.path.join(before or os.curdir, name)))
    labels = next(there, _LABELS[0])
    return [os.sep.join([*parts[:last], labels, *parts[last + 1 :]]), beside]


class LabelFinder:
    """Finds the labels of images, in any letter case of the ending or of the stem."""

    def __init__(self) -> None:
        self._labels: dict[str, StemFolder] = {}
        self._images: dict[str, StemFolder] = {}

    def find_all(self, image: str) -> list[str]:
        """Return the paths of an image's label files, the usual one first; several must be equal."""
        found: list[str] = []
        for place in label_paths(image):
            folder, name = os.path.split(place)
            if folder not in self._labels:
                self._labels[folder] = StemFolder(folder, (LABEL,))
            stem, labels = os.path.splitext(name)[0], self._labels[folder]
            found += labels.find_all(stem) or ([place] if os.path.isfile(place) else [])
            if not found and self._is_only(image, stem):
                found += labels.in_any_case(stem)
        return found

    def _is_only(self, image: str, stem: str) -> bool:
        """Return whether no other image beside this one has its stem in another letter case."""
        folder = os.path.dirname(image)
        if folder not in self._images:
            self._images[folder] = StemFolder(folder, EXTENSIONS)
        return bool(self._images[folder].in_any_case(stem))


def are_from_here(places: Sequence[Path], bases: Sequence[Path]) -> bool:
    """Return whether all lists of a data set name images relative to the current folder.

    Args:
        places: list files and folders of all splits.
        bases: folders that relative paths may be relative to, besides a list's own.
    """
    if any(place.is_dir() for place in places):
        return False
    return all(nothing_beside(written_in(place), [place.parent, *bases], os.path.isfile) for place in places)


def list_images(places: Sequence[Path], bases: Sequence[Path], from_here: bool = False) -> Listing:
    """Return the images of list files and folders.

    Args:
        places: list files, one path per line, and folders.
        bases: folders that relative paths may be relative to, besides a list's own.
        from_here: whether they may be relative to the current folder.

    Raises:
        UserError: a list cannot be read.
    """
    listing = Listing()
    for place in places:
        if place.is_dir():
            listing.images += images_below(place)
            listing.notes += [note for note in [left_out(place)] if note]
        else:
            _read_list(place, PathFinder([place.parent, *bases], os.path.isfile, from_here), listing)
    unique: dict[str, str] = {}
    for image in listing.images:
        unique.setdefault(os.path.abspath(image), image)
    again = len(listing.images) - len(unique)
    if again:
        listing.notes.append(f"{counted(again, 'picture', form=',')} listed again, and taken once")
    listing.images = list(unique.values())
    return listing


def nothing_in(places: Sequence[Path]) -> str:
    """Return a message that lists and folders have no image, and what is there instead."""
    advice = "" if all(place.is_dir() for place in places) else "; a list names one picture a line"
    unread = [note for note in (left_out(place) for place in places if place.is_dir()) if note]
    return f"{' '.join(map(str, places))}: no picture in it{advice}{''.join(f'; {note}' for note in unread)}"


def written_in(path: Path) -> list[str]:
    """Return the lines of a list; empty when it cannot be read, which opening it reports."""
    try:
        return [line.strip() for line in read_text(path, "the list").splitlines() if line.strip()]
    except UserError:
        return []


def _read_list(path: Path, finder: PathFinder, listing: Listing) -> None:
    """Add the images of one list file to a listing."""
    for number, line in enumerate(read_text(path, "the list").splitlines(), 1):
        written = line.strip()
        if not written:
            continue
        image = finder.find(written)
        if image is None:
            problem = f"line {number}: {finder.problem(written)}"
            listing.missing.append(BadFile(str(path), problem, "missing-picture"))
        else:
            listing.images.append(image)
    listing.notes += finder.notes(path.name)
