"""YOLO's ways to lay out a data set: what a path means, which splits it has, and its class names."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from gluon_yolo.data.parts import part_of
from gluon_yolo.data.picture_files import files_ending, is_picture, visible_files
from gluon_yolo.data.yolo.data_file import DataFile, read_data_file
from gluon_yolo.data.yolo.data_yaml import is_data_yaml, read_data_yaml
from gluon_yolo.data.yolo.names import ADVICE, Names, find_names
from gluon_yolo.data.yolo.paths import LABEL, PathFinder, is_picture_list, label_paths
from gluon_yolo.errors import UserError

ACCEPTS = (
    "a darknet or Yolo-FastestV2 .data file, a data.yaml, a list of pictures such as train.txt, or a folder "
    "with one of these, with images/ and labels/, or with pictures and a .txt label beside each"
)
_SIBLINGS = ("val", "valid", "test")

logger = logging.getLogger("gluon_yolo")


@dataclasses.dataclass(frozen=True)
class Layout:
    """What a path means.

    Args:
        root: the folder of the data set.
        places: for each split its list files and folders.
        names: its class names.
        absent: for a split that cannot be opened, why.
        data_file: the ``.data`` file, if it is one.
    """

    root: Path
    places: Mapping[str, tuple[Path, ...]]
    names: Names
    absent: Mapping[str, str] = dataclasses.field(default_factory=dict)
    data_file: DataFile | None = None


def looks_like_yolo(path: Path) -> bool:
    """Say whether a path is such a data set, from a quick look."""
    if path.is_file():
        return path.suffix.lower() == ".data" or is_data_yaml(path) or is_picture_list(path)
    if not path.is_dir():
        return False
    if _only(_data_files(path)) or _only(_data_yamls(path)) or _lists(path):
        return True
    pictures = [picture for places in _folders(path).values() for place in places for picture in _some(place)]
    labels = {label for picture in pictures for label in label_paths(picture)}
    folders = {os.path.dirname(label) for label in labels}
    return any(
        name.lower().endswith(LABEL) and f"{os.path.splitext(os.path.join(folder, name))[0]}{LABEL}" in labels
        for folder in folders
        if os.path.isdir(folder)
        for name in os.listdir(folder)  # quicker than a look for each label of a large folder
    )


def find_layout(path: Path) -> Layout:
    """Return what a path means.

    Raises:
        UserError: it is nothing of the kind, or the file that describes it is broken.
    """
    if path.is_dir():
        described = _only(_data_files(path)) or _only(_data_yamls(path))
        if described is None:
            places = {name: (file,) for name, file in _lists(path).items()} or _folders(path)
            if not places:
                raise UserError(
                    f"{path}: no YOLO data in it, neither lists nor pictures; accepted is {ACCEPTS}"
                )
            return _plain(path, places)
        path = described
    if not path.exists():
        raise UserError(f"{path}: no such file or folder, so no data; accepted is {ACCEPTS}")
    if path.suffix.lower() == ".data":
        return _of_data_file(read_data_file(path))
    if path.suffix.lower() in (".yaml", ".yml"):
        return _of_data_yaml(path)
    return _plain(path.parent, {"train": (path,), **_siblings(path)})


def _plain(root: Path, places: Mapping[str, tuple[Path, ...]]) -> Layout:
    """Return the layout of lists or folders that nothing describes."""
    return Layout(root, places, find_names(root, (place for split in places.values() for place in split)))


def _of_data_file(file: DataFile) -> Layout:
    """Return what a ``.data`` file describes."""
    root = file.path.parent
    finder = PathFinder([root])
    written = {split: (text,) for split, text in file.lists.items()}
    places, absent = _find_places(written, finder, {split: file.place(split) for split in written})
    if not places:
        raise UserError(f"{file.path}: names no data; it needs a line train=LIST, and valid=LIST or val=LIST")
    found = finder.find(file.names) if file.names else None
    missing = f"{file.path}: no class names: {ADVICE}, and a line names=FILE here"
    if file.names and not found:
        missing = f"{file.place('names')}: names: there is no file {file.names}: {ADVICE}"
    declared = (file.classes, file.place("classes")) if file.classes else None
    names = Names(Path(found) if found else None, missing, declared)
    return Layout(root, places, names, absent, file)


def _of_data_yaml(path: Path) -> Layout:
    """Return what a ``data.yaml`` describes."""
    content = read_data_yaml(path)
    stated = PathFinder([path.parent]).find(content.root) if content.root else None
    root = Path(stated) if stated else path.parent
    origins = dict.fromkeys(content.places, str(path))
    places, absent = _find_places(content.places, PathFinder([root, path.parent]), origins)
    if not places:
        raise UserError(
            f"{path}: names no data; it needs train: and val:, each a folder or a list of pictures"
        )
    missing = f"{path}: no class names: give them here as names:, or with --classes FILE"
    declared = (content.classes, f"{path}: nc") if content.classes is not None else None
    return Layout(root, places, Names(content.names, missing, declared), absent)


def _find_places(
    written: Mapping[str, Sequence[str]], finder: PathFinder, origins: Mapping[str, str]
) -> tuple[dict[str, tuple[Path, ...]], dict[str, str]]:
    """Return the places of each split, and for a split with one that is not there, what to say about it.

    A test split that is not there is left out with a warning: descriptions often name one that did not come
    with the data, and nothing asks for it.
    """
    places: dict[str, tuple[Path, ...]] = {}
    absent: dict[str, str] = {}
    for split, texts in written.items():
        found = {text: finder.find(text) for text in texts}
        missing = ", ".join(text for text, path in found.items() if path is None)
        seen_from = f"{finder.bases[0]} or the current folder"
        problem = f"{origins[split]}: {split}: there is no list or folder {missing}, seen from {seen_from}"
        if missing and split == "test":
            logger.warning("%s; left out", problem)
            continue
        places[split] = tuple(Path(path) for path in found.values() if path)
        if missing:
            absent[split] = f"{problem}; correct the path, or put it there"
    return places, absent


def _only(paths: list[Path]) -> Path | None:
    """Return a path that is the only one."""
    return paths[0] if len(paths) == 1 else None


def _data_files(folder: Path) -> list[Path]:
    return files_ending(folder, ".data")


def _data_yamls(folder: Path) -> list[Path]:
    return [file for file in files_ending(folder, ".yaml", ".yml") if is_data_yaml(file)]


def _lists(folder: Path) -> dict[str, Path]:
    """Return the lists of pictures in a folder by their names."""
    names = sorted(os.listdir(folder))
    pictures = {os.path.splitext(name)[0] for name in names if is_picture(name)}
    # A text beside a picture is its label; there may be very many, and none needs to be opened.
    files = [folder / name for name in names if os.path.splitext(name)[0] not in pictures]
    return {file.stem: file for file in files if is_picture_list(file)}


def _folders(root: Path) -> dict[str, tuple[Path, ...]]:
    """Return the splits of a folder without lists: folders with such names, else everything as train."""
    images = root / "images"
    top = images if images.is_dir() and _some(images) else root
    splits: dict[str, tuple[Path, ...]] = {}
    for name in sorted(entry.name for entry in os.scandir(top) if part_of(entry.name) and entry.is_dir()):
        if _some(top / name):
            splits[name] = (top / name / "images" if (top / name / "images").is_dir() else top / name,)
    return splits or ({"train": (top,)} if _some(top) else {})


def _some(folder: Path) -> list[str]:
    """Return pictures below a folder, those of the first folder that has any: enough to see what it is."""
    for parent, names in visible_files(folder):
        if any(map(is_picture, names)):
            return [os.path.join(parent, name) for name in names if is_picture(name)]
    return []


def _siblings(path: Path) -> dict[str, tuple[Path, ...]]:
    """Return the lists of validation and test beside a list of training."""
    found: dict[str, tuple[Path, ...]] = {}
    if part_of(path.stem) in ("val", "test"):
        return found
    for word in _SIBLINGS:
        names = dict.fromkeys((path.stem.replace("train", word), word))
        files = [file for name in names if is_picture_list(file := path.with_name(f"{name}{path.suffix}"))]
        if files and files[0] != path:
            found.setdefault(part_of(word), (files[0],))
    return found
