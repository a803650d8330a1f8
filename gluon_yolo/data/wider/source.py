"""WiderSource: WIDER FACE, or other data in its form, as a data set."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gluon_yolo.data.classes.read import read_class_names, unknown_classes
from gluon_yolo.data.dataset import ImageFiles
from gluon_yolo.data.images.files import images_below
from gluon_yolo.data.images.read import Measure, measure
from gluon_yolo.data.loading.workers import threaded_map
from gluon_yolo.data.quality.orientation import Labels
from gluon_yolo.data.quality.report import BadFile, DatasetReport, Issue
from gluon_yolo.data.source import Source
from gluon_yolo.data.wider.faces import Entry, image_names, read_entries
from gluon_yolo.data.wider.layout import (
    CLASSES_FILE,
    FOLDER,
    IMAGES,
    TEST_LIST,
    TEXT,
    ImageFinder,
    image_folders,
    root_of,
    texts,
)
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError

CLASS = "face"
"""The name of the one class, which the text files do not write."""


class WiderDataset(ImageFiles):
    """Images with the rows of WIDER FACE's text; :class:`WiderSource` opens it.

    Args:
        written: the rows of each image, as its text has them.
        images: the arguments of :class:`ImageFiles`.
    """

    def __init__(self, written: Sequence[tuple[str, ...]], **images: Any) -> None:
        super().__init__(**images)
        self.written = tuple(written)

    @property
    def is_wider(self) -> bool:
        """Whether it is in WIDER FACE's format, which it is."""
        return True


class WiderSource(Source):
    """A folder with ``wider_face_split`` and ``WIDER_*/images``, or one of its text files: each is a split.

    The name of an image, :meth:`Dataset.name`, is its file's path, which ends in ``EVENT/NAME.jpg``. A face
    that is marked ``invalid`` is difficult; the other attributes are not read.
    """

    format = "wider"
    title = "WIDER FACE"
    accepts = "a folder with wider_face_split/wider_face_*_bbx_gt.txt and WIDER_*/images"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is such a folder, or one of its text files."""
        try:
            return bool(texts(path))
        except OSError:
            return False

    def splits(self) -> tuple[str, ...]:
        """Return the names in the text files' names: ``train`` and ``val``."""
        return tuple(self._by_split)

    def class_names(self, splits: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the one class: ``face``, or the name in ``classes.txt`` beside the text files."""
        file = next(iter(self._by_split.values())).with_name(CLASSES_FILE)
        if not file.is_file():
            return (CLASS,)
        names = read_class_names(file)
        if len(names) != 1:
            raise UserError(f"{file}: names {len(names)} classes, but {self.title} has one; name that alone")
        return names

    def open(
        self, split: str, class_names: Sequence[str] | None = None, skip_bad: bool = False
    ) -> WiderDataset:
        """Open a split, or several separated by commas; see :class:`Source`.

        The text has no class name, so a single given name is the one of its class.
        """
        own = self.class_names()
        class_names = own if class_names is None else tuple(class_names)
        report = DatasetReport(f"{self.path.resolve().name} {split}")
        read = threaded_map(_measured, self._listed(split), f"reading {report.title}")
        report.skip([each for each in read if isinstance(each, BadFile)])
        usable = [each for each in read if isinstance(each, _Record)]
        report.raise_if_errors(skip_bad, len(usable))
        class_id = _class_id(own[0], class_names, usable)
        labels = Labels(report)
        truths = [_annotations(record, class_id, own[0], labels) for record in usable]
        labels.note(self.path, split)
        return WiderDataset(
            written=[tuple(face.written for face in record.entry.faces) for record in usable],
            class_names=class_names,
            names=[record.image for record in usable],
            sizes_hw=[record.measure.size_hw for record in usable],
            truths=truths,
            report=report,
        )

    def absence(self, split: str) -> str:
        """Return why a split has no image at all; empty when it has one; see :class:`Source`."""
        try:
            found = self._listed(split)
        except UserError as error:
            return str(error)
        bad = [each for each in found if isinstance(each, BadFile)]
        if len(bad) < len(found) or any(each.kind != "missing-picture" for each in bad):
            return ""
        return str(bad[0])

    def left_out(self) -> list[str]:
        """Return why test splits are left out; see :class:`Source`."""
        listed = any(file.with_name(TEST_LIST).is_file() for file in self._by_split.values())
        note = f"test: left out: {TEST_LIST} names pictures without their faces, which are not published"
        return [*super().left_out(), *([note] if listed else [])]

    def orphans(self) -> list[Issue]:
        """Return the images in the splits' folders that no text names."""
        used = set()
        for split in self._by_split:
            found = map(self._finder(split).find, image_names(self._by_split[split]))
            used |= {os.path.realpath(path) for path in found if path}
        folders = [folder for name, folder in self._folders.items() if name in self._by_split]
        return [
            Issue("warning", file, "", "no text file names the picture", "unused-picture")
            for folder in folders
            for file in images_below(folder)
            if os.path.realpath(file) not in used
        ]

    @functools.cached_property
    def _by_split(self) -> dict[str, Path]:
        found = texts(self.path)
        if not found:
            raise UserError(
                f"{self.path}: no {TEXT.format('*')} in it or in {FOLDER}; expected {self.accepts}"
            )
        return found

    @functools.cached_property
    def _folders(self) -> dict[str, Path]:
        return image_folders(root_of(self.path))

    def _finder(self, split: str) -> ImageFinder:
        return ImageFinder(split, self._folders)

    def _listed(self, split: str) -> list[_Record | BadFile]:
        """Return the images of one split, or of several separated by commas, each image once.

        Raises:
            UserError: there is no such split, a text file cannot be read or is empty, or a split has neither
                its folder nor an image elsewhere.
        """
        found: list[_Record | BadFile] = []
        first: dict[str, Entry] = {}
        for name in dict.fromkeys(self.resolve(split).split(",")):
            if name not in self._by_split:
                raise self.no_split(name)
            text, finder = self._by_split[name], self._finder(name)
            entries = read_entries(text)
            if not entries:
                raise UserError(f"{text}: no picture in it; expected a name, a count and rows for each")
            named = [each.image for each in entries if isinstance(each, Entry)]
            if not finder.has_own and named and not any(map(finder.find, named)):
                place = root_of(self.path) / IMAGES.format(name) / "images"
                archive = f"{IMAGES.format(name)}.zip"
                raise UserError(
                    f"{text}: its pictures are not there: no folder {place}; unpack {archive} to make it"
                )
            found += [each for entry in entries if (each := _located(entry, finder, first))]
        return found


class _Record(NamedTuple):
    """An entry that can be used, its image's path, and the image's measure."""

    entry: Entry
    image: str
    measure: Measure = Measure((0, 0))


def _located(
    entry: Entry | BadFile, finder: ImageFinder, first: dict[str, Entry]
) -> _Record | BadFile | None:
    """Return an entry with its image's path, or why it cannot be used; None for one that is repeated."""
    if isinstance(entry, BadFile):
        return entry
    image = finder.find(entry.image)
    if image is None:
        where = f"in {' or '.join(finder.folders)}" if not os.path.isabs(entry.image) else "there"
        problem = f"line {entry.number}: no picture {entry.image} {where}"
        return BadFile(entry.file, problem, "missing-picture")
    before = first.setdefault(os.path.abspath(image), entry)
    if before is entry:
        return _Record(entry, image)
    if [face.written for face in before.faces] == [face.written for face in entry.faces]:
        return None
    problem = f"line {entry.number}: has other faces than line {before.number} of {before.file} for the same "
    return BadFile(entry.file, f"{problem}picture, {entry.image}: put all in one place", "broken-label")


def _measured(record: _Record | BadFile) -> _Record | BadFile:
    """Return a record with its image's measure, or why it cannot be used."""
    if isinstance(record, BadFile):
        return record
    try:
        return record._replace(measure=measure(record.image))
    except BadFile as error:
        return error


def _class_id(own: str, class_names: Sequence[str], records: Sequence[_Record]) -> int:
    """Return the class id of all faces: the place of their name, or 0 where a single class is given.

    Raises:
        UserError: there are faces, and several classes of other names.
    """
    if own in class_names:
        return list(class_names).index(own)
    first = next((record.entry for record in records if record.entry.faces), None)
    if first and len(class_names) != 1:
        raise unknown_classes({own: f"{first.file}: line {first.faces[0].number}"}, class_names)
    return 0


def _annotations(record: _Record, class_id: int, name: str, labels: Labels) -> Detections:
    """Return an image's faces; broken ones are reported and left out."""
    truth = labels.annotations(record.entry.file, record.image, record.measure)
    for face in record.entry.faces:
        where = f"line {face.number} ({name}, {' '.join(face.written.split()[:4])})"
        truth.add(face.box_xyxy, class_id, face.is_invalid, where)
    return truth.detections()
