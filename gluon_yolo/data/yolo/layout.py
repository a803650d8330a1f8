"""YOLO layouts: the splits and class names of a path, whatever form it has."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from gluon_yolo.data.classes.numbered import ADVICE, Names
from gluon_yolo.data.images.files import files_ending
from gluon_yolo.data.path_finder import PathFinder, nothing_beside
from gluon_yolo.data.yolo.data_file import DataFile, read_data_file
from gluon_yolo.data.yolo.data_yaml import DataYaml, describes_data, is_data_yaml, read_data_yaml
from gluon_yolo.data.yolo.folders import outside_of_splits, some_images, split_folders
from gluon_yolo.data.yolo.lists import Lists, broken_lists, lists_in, with_siblings
from gluon_yolo.data.yolo.names import TOOLS_FILE, compared_with_files, compared_with_yamls, find_names
from gluon_yolo.data.yolo.paths import is_image_list, label_paths
from gluon_yolo.data.yolo.places import find_places
from gluon_yolo.errors import UserError

ACCEPTS = (
    "a darknet or Yolo-FastestV2 .data file, a data.yaml, a list of pictures such as train.txt, or a folder "
    "with one of these, with images/ and labels/, or with pictures and a .txt label beside each"
)


@dataclasses.dataclass(frozen=True)
class Layout:
    """The content of a path.

    Args:
        root: the folder of the data set.
        places: the list files and folders of each split.
        names: its class names.
        absent: for a split that cannot be opened, the reason.
        notes: what the user should know that is not an issue.
        left_out: messages about test splits that do not exist or are broken.
        data_file: the ``.data`` file, when the path is one.
    """

    root: Path
    places: Mapping[str, tuple[Path, ...]]
    names: Names
    absent: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    data_file: DataFile | None = None


def looks_like_yolo(path: Path) -> bool:
    """Return whether a path is such a data set, from a quick look."""
    if path.is_file():
        return path.suffix.lower() == ".data" or is_data_yaml(path) or is_image_list(path)
    if not path.is_dir():
        return False
    if _only(_data_files(path)) or _only(_data_yamls(path)) or lists_in(path).places:
        return True
    folders = [folder for places in split_folders(path).values() for folder in places]
    images = [image for folder in folders for image in some_images(folder)]
    labels = {label for image in images for label in label_paths(image)}
    folded = {label.casefold() for label in labels}
    return any(
        os.path.join(place, name).casefold() in folded
        for place in {os.path.dirname(label) for label in labels}
        if os.path.isdir(place)
        for name in os.listdir(place)  # faster than a check for each label of a large folder
    )


def find_layout(path: Path) -> Layout:
    """Return the layout of a path.

    Raises:
        UserError: the path is not a YOLO data set, or the file that describes it is broken.
    """
    if path.is_dir():
        described = _only(_data_files(path)) or _only(_data_yamls(path))
        if described is None:
            return _undescribed(path)
        if described.suffix.lower() == ".data":  # it is used, but must not contradict a data.yaml
            layout = _of_data_file(read_data_file(described))
            return dataclasses.replace(layout, names=compared_with_yamls(layout.names, _data_yamls(path)))
        path = described
    if not path.exists():
        raise UserError(f"{path}: no such file or folder, so no data; accepted is {ACCEPTS}")
    if path.suffix.lower() == ".data":
        return _of_data_file(read_data_file(path))
    if path.suffix.lower() in (".yaml", ".yml"):
        return _of_data_yaml(path)
    return _listed(path.parent, with_siblings(path))


def _undescribed(folder: Path) -> Layout:
    """Return the layout of a folder without a description, or raise an error about several.

    Raises:
        UserError: there are several descriptions, or no YOLO data.
    """
    several = _data_files(folder) or _data_yamls(folder)
    if several:
        raise UserError(
            f"{folder}: several files describe its data: {', '.join(file.name for file in several)}; name "
            f"one of them, such as {several[0]}"
        )
    lists = lists_in(folder)
    if lists.places:
        return _listed(folder, lists)
    broken = broken_lists(folder)
    if broken:
        raise UserError(broken[0])
    note, splits = outside_of_splits(folder), split_folders(folder)
    if not splits:
        raise UserError(f"{folder}: no YOLO data in it, neither lists nor pictures; accepted is {ACCEPTS}")
    return dataclasses.replace(_plain(folder, splits), notes=(note,) if note else ())


def _plain(root: Path, places: Mapping[str, tuple[Path, ...]]) -> Layout:
    """Return the layout of lists or folders without a description."""
    return Layout(root, places, find_names(root, _all(places)))


def _listed(root: Path, lists: Lists) -> Layout:
    """Return the layout of lists without a description."""
    layout = _plain(root, lists.places)
    return dataclasses.replace(layout, absent=lists.absent, left_out=lists.left_out)


def _all(places: Mapping[str, tuple[Path, ...]]) -> list[Path]:
    """Return the lists and folders of all splits."""
    return [place for split in places.values() for place in split]


def _of_data_file(file: DataFile) -> Layout:
    """Return the layout that a ``.data`` file describes."""
    root = file.path.parent
    written = {split: (text,) for split, text in file.lists.items()}
    places = find_places(written, [root], {split: file.place(split) for split in written})
    if not written:
        raise UserError(f"{file.path}: names no data; it needs a line train=LIST, and valid=LIST or val=LIST")
    finder = PathFinder([root], from_here=places.from_here)
    found = finder.find(file.names) if file.names else None
    missing = f"{file.path}: no class names: {ADVICE}, and a line names=FILE here"
    if file.names and not found:
        missing = f"{file.place('names')}: names: there is no file {file.names}: {ADVICE}"
    declared = (file.classes, file.place("classes")) if file.classes else None
    names = Names(Path(found) if found else None, missing, declared)
    names = compared_with_files(names, root, _all(places.by_split))
    return Layout(root, places.by_split, names, places.absent, places.notes, places.left_out, file)


def _of_data_yaml(path: Path) -> Layout:
    """Return the layout that a ``data.yaml`` describes."""
    content = read_data_yaml(path)
    root, lost = _root_of(content)
    places = find_places(content.places, [root, path.parent], dict.fromkeys(content.places, str(path)))
    if not content.places:
        raise UserError(
            f"{path}: names no data; it needs train: and val:, each a folder or a list of pictures"
        )
    missing = f"{path}: no class names: give them here as names:, or with {{classes}} FILE"
    declared = (content.classes, f"{path}: nc") if content.classes is not None else None
    names = Names(content.names, missing, declared, f"{path}: names")
    names = compared_with_files(names, root, _all(places.by_split), (TOOLS_FILE, "*.names"))
    absent = {split: f"{problem}{lost}" for split, problem in places.absent.items()}
    return Layout(root, places.by_split, names, absent, places.notes, places.left_out)


def _root_of(content: DataYaml) -> tuple[Path, str]:
    """Return the folder of a ``data.yaml``'s ``path:``, and a message when it does not exist.

    It may be relative to the current folder, as in Ultralytics, unless the data is beside the file.
    """
    beside = content.path.parent
    if content.root is None:
        return beside, ""
    written = [text for texts in content.places.values() for text in texts]
    finder = PathFinder([beside], os.path.isdir, from_here=nothing_beside(written, [beside]))
    found = finder.find(content.root)
    lost = f" (path: there is no folder {content.root}, seen from {os.path.abspath(beside)})"
    return (Path(found), "") if found else (beside, lost)


def _only(paths: list[Path]) -> Path | None:
    """Return the only path of a list; None when there is none or several."""
    return paths[0] if len(paths) == 1 else None


def _data_files(folder: Path) -> list[Path]:
    return files_ending(folder, ".data")


def _data_yamls(folder: Path) -> list[Path]:
    """Return the descriptions in a folder; of several, those that name training data."""
    files = files_ending(folder, ".yaml", ".yml")
    looked = (file for file in files if is_data_yaml(file))
    found = [file for file in looked if file.stem.lower().startswith("data") or describes_data(file)]
    return [file for file in found if describes_data(file, ("train",))] or found
