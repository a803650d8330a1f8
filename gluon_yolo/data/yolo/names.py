"""Class names of a YOLO data set: in its description, in a ``.names`` file, or beside its labels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from gluon_yolo.data.classes.numbered import ADVICE, Names, compared_with, of_files
from gluon_yolo.data.images.files import files_called
from gluon_yolo.data.path_finder import PathFinder
from gluon_yolo.data.yolo.data_yaml import read_data_yaml
from gluon_yolo.data.yolo.paths import label_paths, written_in
from gluon_yolo.errors import UserError

TOOLS_FILE = "classes.txt"
"""The labelling tools' file of class names, beside labels."""
ROBOFLOWS_FILE = "_darknet.labels"
"""Roboflow's file of class names, beside the images of each split."""
_FOLDERS = 100  # maximum number of a list's image folders to search


def find_names(root: Path, places: Iterable[Path]) -> Names:
    """Find the class names of a data set without a description.

    Args:
        root: its folder.
        places: the lists and folders of its splits; labelling tools leave ``classes.txt`` beside the labels.
    """
    folders = _folders(root, places)
    tools = _files(folders, TOOLS_FILE)
    found = of_files(_files(folders, "*.names", ROBOFLOWS_FILE))
    if found:
        return compared_with(found, {str(file): file for file in tools})
    return of_files(tools, may_go_on=True) or Names(None, f"{root}: no class names: {ADVICE}")


def compared_with_files(
    names: Names, root: Path, places: Iterable[Path], patterns: Sequence[str] = (TOOLS_FILE,)
) -> Names:
    """Return the names of a description, after a comparison with the files of tools beside the labels.

    Args:
        names: of the description.
        root: the folder of the data set.
        places: the lists and folders of its splits.
        patterns: names of such files.
    """
    files = _files(_folders(root, places), *patterns)
    return compared_with(names, {str(file): file for file in files if file != names.source})


def compared_with_yamls(names: Names, files: Iterable[Path]) -> Names:
    """Return the names of a ``.data`` file, after a comparison with each ``data.yaml`` beside it."""
    others: dict[str, tuple[str, ...] | Path] = {}
    for file in files:
        try:
            others[f"{file}: names"] = read_data_yaml(file).names or ()
        except UserError:  # the data.yaml is not used
            continue
    return compared_with(names, others)


def _files(folders: Iterable[Path], *patterns: str) -> list[Path]:
    """Return the files in folders that match a pattern."""
    return [file for pattern in patterns for folder in folders for file in files_called(folder, pattern)]


def _folders(root: Path, places: Iterable[Path]) -> list[Path]:
    """Return a data set's folder, and the folders of its images and labels."""
    folders = [root, root / "labels"]
    for place in places:
        for folder in [place] if place.is_dir() else _folders_listed(place, root):
            folders += [folder, Path(label_paths(str(folder / "any"))[0]).parent]
    return list(dict.fromkeys(folders))


def _folders_listed(path: Path, root: Path) -> list[Path]:
    """Return the folders of a list's images; one image is searched for each folder that it names."""
    written: dict[str, str] = {}
    for line in written_in(path):
        written.setdefault(line.replace("\\", "/").rpartition("/")[0], line)
    finder = PathFinder([path.parent, root], os.path.isfile)
    found = [finder.find(line) for line in list(written.values())[:_FOLDERS]]
    return [Path(image).parent for image in found if image]
