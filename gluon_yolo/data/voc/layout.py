"""Pascal VOC layout: the images and annotations of a root and a split."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from gluon_yolo.data.images.files import (
    ImageFolder,
    StemFolder,
    files_ending,
    is_image,
    is_unread_image,
    visible_files,
)
from gluon_yolo.data.path_finder import PathFinder
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.data.splits import split_role
from gluon_yolo.data.text_file import first_line, read_text
from gluon_yolo.data.voc.entry import XML, Entry
from gluon_yolo.data.voc.folders import annotations_folder, has_pairs, images_folder, is_xml
from gluon_yolo.errors import UserError
from gluon_yolo.text import counted

LAYOUTS = (
    "accepted are a VOCdevkit (with VOC2007/, VOC2012/ ... in it), one folder like VOC2007, any folder with "
    "Annotations/, JPEGImages/ and perhaps ImageSets/Main/, and pictures with an .xml annotation beside each"
)
_LISTS = ("ImageSets", "Main")
_YEAR = re.compile(r"VOC\d{4}", re.IGNORECASE)
_EVERYTHING = ("all", "trainval")
_CLASS_MARK = r"\s+(-1|0|1)$"
_PAIR = re.compile(r"\S.*\.\w+\s+(\S.*\.xml)", re.IGNORECASE)  # an image, then its annotation
_FOLDERS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
HOLD_OUT = 10
"""Without lists, one image of this many is used for validation."""
_HOLD_OUT_NOTE = f"no ImageSets/Main lists: every {HOLD_OUT}th picture is val, the others are train"


class VOCFolder:
    """One folder with annotations and images, and perhaps lists.

    Without ``Annotations/`` the annotations lie beside the images, in the folder or its subfolders; folders
    called train, valid and test are then its splits.

    Args:
        path: the folder.

    Raises:
        UserError: there are annotations and no folder of images.
    """

    def __init__(self, path: Path) -> None:
        annotations, images = annotations_folder(path), images_folder(path)
        if annotations and images is None:
            raise UserError(f"{path}: expected Annotations/ and JPEGImages/ in it; {LAYOUTS}")
        self.path = path
        self.annotations = annotations or path
        self.images = ImageFolder(str(images if annotations else path))
        self.lists = _lists(self.lists_folder) or _lists(path, of_pairs=True)
        self._labels = StemFolder(str(self.annotations), (XML,))
        self.finder = PathFinder([self.annotations], os.path.isfile, from_here=False)
        one_class = {name: file for name, file in self.lists.items() if self._is_of_one_class(file)}
        self.unions = _unions(one_class) if len(one_class) == len(self.lists) else {}
        self.by_folder = {} if self.lists else self._folders()

    @property
    def lists_folder(self) -> Path:
        """The folder for lists, which may not exist."""
        usual = self.path / "ImageSets" / "Main"
        found = None if usual.is_dir() else PathFinder([], os.path.isdir).in_any_case(str(self.path), _LISTS)
        return Path(found) if found else usual

    def splits(self) -> list[str]:
        """Return the names of the lists, without lists of one class, such as VOC's ``dog_train``.

        When there are only lists of one class, as VoTT writes them, ``train`` is the union of those for
        training.
        """
        named = [name for name, path in self.lists.items() if not self._is_of_one_class(path)]
        return named or [*self.unions] or [*self.by_folder]

    def labelled(self) -> list[str]:
        """Return the stems of all annotations, with their subfolders, sorted.

        Hidden files, such as macOS's ``._1.xml``, and hidden folders are ignored.
        """
        stems: list[str] = []
        for parent, names in visible_files(self.annotations):
            below = Path(parent).relative_to(self.annotations)
            prefix = f"{below.as_posix()}/" if below.parts else ""
            stems += [f"{prefix}{os.path.splitext(name)[0]}" for name in names if is_xml(name)]
        return sorted(stems)

    def listed(self) -> set[str]:
        """Return the stems of all lists."""
        return {stem for path in self.lists.values() for stem in self._stems_in(path)}

    def entries(self, split: str) -> list[Entry]:
        """Return the images of one split, in the order of its list or of their names.

        Raises:
            UserError: there is no such list, or it names no image.
        """
        if split in self.lists:
            stems = self._listed(self.lists[split])
        elif split in self.unions:
            stems = list(dict.fromkeys(stem for path in self.unions[split] for stem in self._listed(path)))
        else:
            stems = self.by_folder.get(split) or self._unlisted(split)
        return [self.entry(stem) for stem in stems]

    def entry(self, stem: str) -> Entry:
        """Return the entry of a stem."""
        found = self._labels.find_all(stem)
        missing = f"{self.annotations}{os.sep}{stem}{XML}"
        base = os.path.basename(stem)
        flat = base if base != stem and self._by_base.get(base) == [stem] else None
        return Entry(stem, found[0] if found else missing, self.images, self._labels, flat)

    @functools.cached_property
    def _by_base(self) -> dict[str, list[str]]:
        """The stems of all annotations by their names without folders."""
        stems: dict[str, list[str]] = {}
        for stem in dict.fromkeys(self.labelled()):
            stems.setdefault(os.path.basename(stem), []).append(stem)
        return stems

    def _folders(self) -> dict[str, list[str]]:
        """Return the stems in folders called train, valid and test; empty unless all are in such folders."""
        splits: dict[str, list[str]] = {}
        for stem in self.labelled():
            splits.setdefault(_FOLDERS.get(Path(stem).parent.name.lower(), ""), []).append(stem)
        return {} if "" in splits else splits

    def _listed(self, path: Path) -> list[str]:
        """Return the stems of a list, at least one."""
        stems = self._stems_in(path)
        if not stems:
            raise UserError(f"{path}: the list names no picture; write one name a line")
        return stems

    def _stems_in(self, path: Path) -> list[str]:
        """Read a list: a name or a path per line, or an image and its annotation."""
        lines = read_text(path, "the list").splitlines()
        return [self._stem(line.strip()) for line in lines if line.strip()]

    def _is_of_one_class(self, path: Path) -> bool:
        """Return whether a list has ``1``, ``0`` or ``-1`` after its first name."""
        line = first_line(path)
        return re.search(_CLASS_MARK, line) is not None and not self._has_annotation(line)

    def _has_annotation(self, name: str) -> bool:
        return bool(self._labels.find_all(name))

    def _stem(self, line: str) -> str:
        """Return the stem of a line; a path of another machine is found by its end.

        The ``1`` or ``-1`` of a class list, the ending, and an image before its annotation are removed.
        """
        if self._has_annotation(line):
            return line
        pair = _PAIR.fullmatch(line)
        name = pair.group(1) if pair else re.sub(_CLASS_MARK, "", line)
        has_ending = is_image(name) or is_unread_image(name) or is_xml(name)
        stem = os.path.splitext(name)[0] if has_ending else name
        found = self.finder.find(f"{stem}{XML}")
        if found is None:
            below = self._by_base.get(stem, [])
            return below[0] if len(below) == 1 else stem
        return Path(found).relative_to(self.annotations).with_suffix("").as_posix()

    def _unlisted(self, split: str) -> list[str]:
        """Return a split without a list: everything, or a part when the folder has no lists at all."""
        if self.lists and split != "all":
            raise UserError(f"{self.lists_folder}: no list {split}.txt; there are {', '.join(self.lists)}")
        stems = self.labelled()
        if not stems:
            raise UserError(f"{self.annotations}: no .xml annotation in it; {LAYOUTS}")
        if split in _EVERYTHING:
            return stems
        if self.by_folder:
            raise UserError(f"{self.path}: no split {split!r}; there is {', '.join(self.by_folder)}")
        if split not in ("train", "val"):
            raise UserError(
                f"{self.path}: no ImageSets/Main/{split}.txt; without lists there are the splits all, train "
                f"and val (every {HOLD_OUT}th picture)"
            )
        parts: dict[str, list[str]] = {"train": [], "val": []}
        for position, stem in enumerate(stems, 1):
            parts["train" if position % HOLD_OUT else "val"].append(stem)
        if not parts[split]:
            raise UserError(
                f"{self.path}: too few pictures to hold some out; write ImageSets/Main lists, or "
                "let `gluon-yolo data split` do so"
            )
        return parts[split]


def find_entries(
    root: str | os.PathLike[str], split: str | Sequence[str] | None = None
) -> tuple[list[Entry], DatasetReport]:
    """Return the images of one or several splits, each once, and a report with a title and notes.

    Args:
        root: a folder in one of the supported layouts.
        split: names of lists such as ``"trainval"``, several as a sequence or separated by commas; in a
            VOCdevkit ``"2007_trainval"`` selects the year. None and ``"all"`` mean every annotation.

    Raises:
        UserError: the root or a list is missing, or a list is empty.
    """
    folders = voc_folders(Path(root))
    names = _split_names(split)
    shown = folders[0].path if len(folders) == 1 else folders[0].path.parent
    report = DatasetReport(f"{shown.resolve().name} {','.join(names)}")
    entries: list[Entry] = []
    for name in names:
        for folder, list_name in _pick(folders, name):
            entries += folder.entries(list_name)
            report.notes += folder.finder.notes(f"{list_name}.txt")
            if list_name in ("train", "val") and not (folder.lists or folder.by_folder):
                report.notes.append(_HOLD_OUT_NOTE)
    unique = {entry.annotation: entry for entry in entries}
    if len(unique) < len(entries):
        report.notes.append(f"{counted(len(entries) - len(unique), 'name')} listed again, and taken once")
    return list(unique.values()), report


def _split_names(split: str | Sequence[str] | None) -> list[str]:
    """Return the names of splits: ``"2007_trainval,2012_trainval"`` are two, None is everything."""
    parts = split.split(",") if isinstance(split, str) else split or ()
    return [part.strip() for part in parts if part.strip()] or ["all"]


def _pick(folders: list[VOCFolder], name: str) -> list[tuple[VOCFolder, str]]:
    """Return the folders and the list's name in them for ``2007_trainval`` or ``trainval``."""
    having = [folder for folder in folders if name in folder.lists or name in folder.unions]
    if having:
        return [(folder, name) for folder in having]
    match = re.fullmatch(r"(\d{4})_(.+)", name)
    if match:
        year, rest = match.groups()
        chosen = [folder for folder in folders if folder.path.resolve().name.endswith(year)]
        if not chosen:
            there = ", ".join(str(folder.path) for folder in folders)
            raise UserError(f"split {name!r}: no folder VOC{year}; there is {there}")
        return [(folder, rest) for folder in chosen]
    return [(folder, name) for folder in folders]


def voc_folders(root: Path) -> list[VOCFolder]:
    """Return the VOC folders of a root: itself, those of a VOCdevkit by year, or its only subfolder.

    A root without any ``Annotations/`` is one itself when annotations lie beside images.

    Raises:
        UserError: the root is missing, or has no supported layout.
    """
    if not root.is_dir():
        problem = "is a file, no folder" if root.exists() else "no such folder, so no data"
        raise UserError(f"{root}: {problem}; {LAYOUTS}")
    if annotations_folder(root):
        return [VOCFolder(root)]
    if (root / "VOCdevkit").is_dir():
        root = root / "VOCdevkit"
    folders = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    children = [root / name for name in folders if annotations_folder(root / name)]
    years = [child for child in children if _YEAR.fullmatch(child.name)]
    if not years and len(children) == 1:
        years = children
    if not years and has_pairs(root):
        return [VOCFolder(root)]
    if not years:
        raise UserError(f"{root}: no Annotations/ in it, nor in one folder below it; {LAYOUTS}")
    return [VOCFolder(child) for child in years]


def _lists(folder: Path, of_pairs: bool = False) -> dict[str, Path]:
    """Return the lists in a folder by name; with ``of_pairs``, only lists of images and annotations."""
    files = files_ending(folder, ".txt")
    return {file.stem: file for file in files if not of_pairs or _PAIR.fullmatch(first_line(file))}


def _unions(lists: Mapping[str, Path]) -> dict[str, list[Path]]:
    """Return lists of one class each, such as ``dog_train``, by the part at the end of their names."""
    unions: dict[str, list[Path]] = {}
    for name, path in lists.items():
        unions.setdefault(name.rpartition("_")[2], []).append(path)
    return unions if all(map(split_role, unions)) else {}
