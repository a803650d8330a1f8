"""COCOSource: one or several COCO annotation files and their images."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.data.classes.read import listed
from gluon_yolo.data.coco import json_file
from gluon_yolo.data.coco.dataset import read_coco
from gluon_yolo.data.coco.images import find_folder, locate
from gluon_yolo.data.coco.layout import LAYOUTS, by_split, find_annotations, passed_over
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.images.files import images_below, left_out
from gluon_yolo.data.quality.report import DatasetReport, Issue
from gluon_yolo.data.source import Source
from gluon_yolo.data.text_file import decoded
from gluon_yolo.errors import UserError


class COCOSource(Source):
    """A folder with COCO annotation files, or one such file.

    A file's split is its name without a leading ``instances_``, or the name of its folder when all files have
    one name. When splits have different classes, each split gets all of them.
    """

    format = "coco"
    title = "COCO annotations"
    joins = False
    accepts = LAYOUTS

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._files: dict[str, json_file.CocoFile] = {}
        # For each file that was read: the folder of its images, and their paths.
        self._named: dict[str, tuple[Path, list[str]]] = {}

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether a file begins like COCO annotations."""
        return bool(find_annotations(path))

    def splits(self) -> tuple[str, ...]:
        """Return the names of the annotation files, or of their folders."""
        return tuple(self.annotations())

    def annotations(self) -> dict[str, Path]:
        """Return each split's annotation file.

        Raises:
            UserError: there is none, or there are two of one split.
        """
        found = by_split(self.path)
        if not found:
            problem = "no COCO annotations" if self.path.exists() else "no such file or folder, so no data"
            raise UserError(f"{self.path}: {problem}; accepted are {LAYOUTS}")
        return found

    def class_names(self, splits: Sequence[str]) -> tuple[str, ...]:
        """Return the categories of the first split by ascending id, then the new ones of later splits."""
        files = [self._read(split) for split in splits]
        return tuple(dict.fromkeys(name for file in files for name in file.categories.values()))

    def open(self, split: str, class_names: Sequence[str] | None = None, skip_bad: bool = False) -> Dataset:
        """Open one split; see :class:`Source`."""
        split = self.resolve(_without_prefix(split))
        file = self._read(split)
        if class_names is None or not set(class_names) <= set(file.categories.values()):
            known = self.class_names(self.there())
            file.add_categories(tuple(dict.fromkeys([*known, *(class_names or ())])))
            class_names = known if class_names is None else class_names
        folder = find_folder(Path(file.path), split, file.images)
        self._forget(split, file, folder)
        report = DatasetReport(f"{self._name()} {split}")
        others = passed_over(self.path)
        if others:
            named = listed([str(other) for other in others])
            report.notes.append(f"annotation files of another layout are not read: {named}")
        note = left_out(folder, set(self._named[split][1]))
        report.notes += [note] if note else []
        return read_coco(file, folder, report, class_names, skip_bad)

    def absence(self, split: str) -> str:
        """Return why a split has no image at all, or that it has no annotations; empty otherwise."""
        path = self.annotations()[split]
        try:
            file = self._read(split)
        except UserError:
            with contextlib.suppress(OSError, ValueError):
                if '"annotations"' not in decoded(path.read_bytes()):
                    return f"{path}: it has no annotations"
            return ""  # the file is broken, which opening it reports
        try:
            find_folder(path, split, file.images)
        except UserError as error:
            return str(error)
        return ""

    def orphans(self) -> list[Issue]:
        """Return images, in the folders of images, that no annotation file names.

        Files that cannot be read, or whose images are not found, are skipped: :meth:`open` reports them.
        """
        for split, path in self.annotations().items():
            if split not in self._named:
                with contextlib.suppress(UserError):
                    file = self._read(split)
                    self._forget(split, file, find_folder(path, split, file.images))
        named = {os.path.realpath(file) for _, files in self._named.values() for file in files}
        folders = dict.fromkeys(folder for folder, _ in self._named.values())
        there = dict.fromkeys(file for folder in folders for file in images_below(folder))
        unused = [file for file in there if os.path.realpath(file) not in named]
        text = "no annotation file names the picture"
        return [Issue("warning", file, "", text, "unused-picture") for file in unused]

    def _forget(self, split: str, file: json_file.CocoFile, folder: Path) -> None:
        """Drop a file's content, which may be large and is rarely needed again; keep its image paths."""
        found, _ = locate(file.path, folder, file.images)
        self._named[split] = folder, [path for path in found if isinstance(path, str)]
        self._files.pop(split)

    def _read(self, split: str) -> json_file.CocoFile:
        """Return a split's annotation file; a file is read once.

        Raises:
            UserError: there is no such split, or the file is broken.
        """
        split = self.resolve(_without_prefix(split))
        if split not in self._files:
            there = self.annotations()
            if split not in there:
                raise self.no_split(split)
            self._files[split] = json_file.CocoFile(str(there[split]))
        return self._files[split]

    def _name(self) -> str:
        """Return the data set's name for titles."""
        path = self.path.resolve()
        return path.parent.name if path.is_file() else path.name


def _without_prefix(split: str) -> str:
    return split.replace("instances_", "", 1)
