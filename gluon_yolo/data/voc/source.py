"""VOCSource: a data set in the Pascal VOC layout."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.class_names import VOC_CLASSES
from gluon_yolo.data.classes.numbered import Names, compared_with
from gluon_yolo.data.classes.read import read_class_names
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.images.files import files_called, images_below
from gluon_yolo.data.keras.lines import has_boxes
from gluon_yolo.data.quality.report import Issue
from gluon_yolo.data.source import Source
from gluon_yolo.data.voc.dataset import find_class_names, open_voc
from gluon_yolo.data.voc.entry import XML
from gluon_yolo.data.voc.folders import SeveralFolders
from gluon_yolo.data.voc.layout import HOLD_OUT, VOCFolder, find_entries, voc_folders
from gluon_yolo.errors import SettingError, UserError

CLASSES_FILE = "classes.txt"
"""A file beside ``Annotations/`` with the classes in order, as `data convert` writes it."""

logger = logging.getLogger("gluon_yolo")


class VOCSource(Source):
    """A VOCdevkit, a VOC2007, a folder with ``Annotations/`` and ``JPEGImages/``, or XML beside images.

    Its splits are the lists in ``ImageSets/Main``, or folders called train, valid and test. Without these
    they are ``all``, ``train`` and ``val``; val is every tenth image. Several splits, separated by commas,
    can be opened as one.
    """

    format = "voc"
    title = "Pascal VOC"
    accepts = (
        "a VOCdevkit, a folder like VOC2007, any folder with Annotations/*.xml and JPEGImages/, or pictures "
        "with an .xml annotation beside each"
    )

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is such a folder with an XML file in it.

        keras-yolo3's own folder is not: its lists are made from the VOCdevkit in it.
        """
        if (
            (path / "VOCdevkit").is_dir()
            and (path / "model_data").is_dir()
            and any(map(has_boxes, path.iterdir()))
        ):
            return False
        try:
            return any(_has_xml(folder) for folder in voc_folders(path))
        except SeveralFolders:
            return True  # reading it reports what is wrong
        except (UserError, OSError):
            return False

    def splits(self) -> tuple[str, ...]:
        """Return the names of the lists of all years."""
        lists = self._lists()
        if lists:
            return lists
        return ("all", "train", "val") if self._can_hold_out() else ("all",)

    def class_names(self, splits: Sequence[str]) -> tuple[str, ...]:
        """Return the names in the annotations: in the order of ``classes.txt``, in VOC's, or sorted."""
        names = find_class_names(self.path, self.resolve(",".join(splits)))
        return self._ordered(names) or (VOC_CLASSES if set(names) == set(VOC_CLASSES) else names)

    def open(self, split: str, class_names: Sequence[str] | None = None, skip_bad: bool = False) -> Dataset:
        """Open one list, or several separated by commas; see :class:`Source`."""
        class_names = class_names or self.class_names(self.splits())
        return open_voc(self.path, self.resolve(split), class_names, skip_bad)

    def absence(self, split: str) -> str:
        """Return why a split has not one image with its label; empty when it has one."""
        try:
            entries, _ = find_entries(self.path, split)
        except UserError:
            return ""  # a list is broken, which opening it reports
        if any(entry.is_there() for entry in entries):
            return ""
        return f"not one of its {len(entries):,} names has a label and a picture, such as {entries[0].stem}"

    def orphans(self) -> list[Issue]:
        """Return labels without an image, images without a label, and files that no list names."""
        return [issue for folder in voc_folders(self.path) for issue in _orphans(folder)]

    def _lists(self) -> tuple[str, ...]:
        return tuple(sorted({name for folder in voc_folders(self.path) for name in folder.splits()}))

    def _can_hold_out(self) -> bool:
        """Return whether each folder has enough images for a validation split without lists."""
        return all(len(folder.labelled()) >= HOLD_OUT for folder in voc_folders(self.path))

    def _ordered(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the names of ``classes.txt``; empty when it is absent or lacks a used name.

        Raises:
            UserError: another such file has another order.
        """
        folders = voc_folders(self.path)
        path = folders[0].path / CLASSES_FILE
        if not path.is_file():
            return ()
        agreed = compared_with(
            Names(path, ""), {str(file): file for file in _class_files(folders) if file != path}
        )
        if agreed.source is None:
            raise SettingError(agreed.missing)
        try:
            ordered = read_class_names(path)
        except UserError as error:
            logger.warning("%s; ignored: classes are sorted by name", error)
            return ()
        unknown = sorted(set(names) - set(ordered))
        if unknown:
            message = "%s: ignored, since it lacks the class %s; classes are sorted by name"
            logger.warning(message, path, ", ".join(map(repr, unknown)))
            return ()
        return ordered


def _class_files(folders: Sequence[VOCFolder]) -> list[Path]:
    """Return the files of class names in the folders, and beside their annotations and images."""
    places = [
        place for folder in folders for place in (folder.path, folder.annotations, Path(folder.images.path))
    ]
    return [file for place in dict.fromkeys(places) for file in files_called(place, CLASSES_FILE)]


def _has_xml(folder: VOCFolder) -> bool:
    """Return whether a folder or its subfolders have an annotation."""
    files = (name for _, _, names in os.walk(folder.annotations) for name in names)
    return any(name.lower().endswith(XML) for name in files)


def _orphans(folder: VOCFolder) -> list[Issue]:
    """Return the files of a folder that are in none of its lists, or have no counterpart."""
    images = {stem: _images_of(folder, stem) for stem in folder.labelled()}
    listed = folder.listed() if folder.lists else set(images)  # opening a split reports these
    issues = []
    for stem in images.keys() - listed:
        if not images[stem]:
            label = folder.entry(stem).annotation
            issues.append(Issue("warning", label, "", "the label has no picture", "stray-label"))
        for image in images[stem]:
            issues.append(Issue("warning", image, "", "no list names the picture", "unused-picture"))
    used = {os.path.normpath(image) for paths in images.values() for image in paths}
    for file in images_below(folder.images.path):
        stem = Path(file).relative_to(folder.images.path).with_suffix("").as_posix()
        if not (file in used or stem in listed or stem in images):
            issues.append(Issue("warning", file, "", "the picture has no label", "missing-label"))
    return sorted(issues, key=lambda issue: issue.file)


def _images_of(folder: VOCFolder, stem: str) -> list[str]:
    """Return the images of a label, by its stem or otherwise by the file name in it."""
    return folder.entry(stem).images_found()
