"""Where a YOLO data set has its class names: in its description, in a ``.names`` file, or nowhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from gluon_yolo.data.classes import read_class_names
from gluon_yolo.data.names import ADVICE, Names, disagreement, of_files
from gluon_yolo.data.picture_files import files_called
from gluon_yolo.data.yolo.paths import label_paths
from gluon_yolo.errors import UserError

TOOLS_FILE = "classes.txt"
"""What labelling tools call the class names that they leave beside labels."""


def find_names(root: Path, places: Iterable[Path]) -> Names:
    """Look for class names in a data set that nothing describes.

    Args:
        root: its folder.
        places: the lists and folders of its splits; labelling tools leave ``classes.txt`` beside the labels.
    """
    places = list(places)
    for pattern in ("*.names", TOOLS_FILE):
        found = of_files(_files(root, places, pattern))
        if found:
            return found
    return Names(None, f"{root}: no class names: {ADVICE}")


def held_against_tools(names: Names, root: Path, places: Iterable[Path]) -> Names:
    """Return the names of a description, held against those that tools left beside the labels.

    One list of names may go on where the other ends.

    Args:
        names: of the description.
        root: the folder of the data set.
        places: the lists and folders of its splits.
    """
    for file in _files(root, places, TOOLS_FILE):
        try:
            ours, theirs = names.read() or (), read_class_names(file)
        except UserError:  # which opening the data reports, or is no list of names
            continue
        if any(one != other for one, other in zip(ours, theirs)):
            both = {names.origin: ours, str(file): theirs}
            return dataclasses.replace(names, source=None, missing=disagreement(both))
    return names


def _files(root: Path, places: Iterable[Path], pattern: str) -> list[Path]:
    """Return the files of a pattern in a data set's folder, and in those of its pictures and labels."""
    folders = [root, root / "labels"]
    for place in places:
        if place.is_dir():
            folders += [place, Path(label_paths(str(place / "any"))[0]).parent]
    return [file for folder in dict.fromkeys(folders) for file in files_called(folder, pattern)]
