"""KerasSource: keras-yolo3's lists as a data set."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gluon_yolo.data.classes.numbered import Names
from gluon_yolo.data.classes.read import unknown_classes
from gluon_yolo.data.dataset import ImageFiles
from gluon_yolo.data.images.read import Measure, measure
from gluon_yolo.data.keras.lines import Line, images_in, lists_at, read_line
from gluon_yolo.data.keras.names import find_names
from gluon_yolo.data.loading.workers import threaded_map
from gluon_yolo.data.path_finder import PathFinder, nothing_beside
from gluon_yolo.data.quality.orientation import Labels
from gluon_yolo.data.quality.report import BadFile, DatasetReport
from gluon_yolo.data.source import Source
from gluon_yolo.data.text_file import read_text
from gluon_yolo.detections import Detections
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.text import counted


class KerasDataset(ImageFiles):
    """Images with the boxes of keras-yolo3's lists; :class:`KerasSource` opens it.

    Args:
        written: the boxes of each image, as its list has them.
        images: the arguments of :class:`ImageFiles`.
    """

    def __init__(self, written: Sequence[tuple[str, ...]], **images: Any) -> None:
        super().__init__(**images)
        self.written = tuple(written)


class KerasSource(Source):
    """A list in keras-yolo3's format, or a folder with lists: each is a split, named by its stem.

    Roboflow's ``_annotations.txt`` in the folder of each split is named by that folder.

    The lists contain class ids only; the names come from the ``.names`` or ``classes.txt`` file beside them,
    or in ``model_data/``.
    """

    format = "keras"
    title = "keras-yolo3's list"
    accepts = "a list of pictures with boxes behind each (path x1,y1,x2,y2,class ...), or a folder with some"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is such a list, or a folder with one."""
        try:
            return bool(lists_at(path))
        except UserError:
            return True  # reading it reports what is wrong

    def splits(self) -> tuple[str, ...]:
        """Return the stems of the lists."""
        return tuple(self._by_split)

    def class_names(self, splits: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the class names, which all lists share.

        Raises:
            UserError: there are none, or files of names disagree.
        """
        names = self._names.read()
        if names is None:
            raise SettingError(self._names.missing)
        return names

    def open(
        self, split: str, class_names: Sequence[str] | None = None, skip_bad: bool = False
    ) -> KerasDataset:
        """Open a split, or several separated by commas; see :class:`Source`."""
        lists = self._chosen(split)
        class_names = self.class_names() if class_names is None else tuple(class_names)
        own = self._names.read() or class_names
        report = DatasetReport(f"{self._folder.resolve().name} {split}")
        entries = _entries(lists, self._folder, report, self._from_here)
        if not entries:
            raise UserError(f"{' '.join(map(str, lists))}: no picture in it; write one a line")
        read = threaded_map(_Reader(len(own), self._names.origin), entries, f"reading {report.title}")
        report.skip([each for each in read if isinstance(each, BadFile)])
        usable = [each for each in read if isinstance(each, _Record)]
        report.raise_if_errors(skip_bad, len(usable))
        labels = Labels(report)
        truths = _truths(usable, own, class_names, labels)
        labels.note(self.path, split)
        return KerasDataset(
            written=[record.entry.line.written for record in usable],
            class_names=class_names,
            names=[record.entry.image for record in usable],
            sizes_hw=[record.measure.size_hw for record in usable],
            truths=truths,
            report=report,
        )

    def absence(self, split: str) -> str:
        """Return why a split has no image at all; empty when it has one; see :class:`Source`."""
        try:
            entries = _entries(self._chosen(split), self._folder, DatasetReport(split), self._from_here)
        except UserError:
            return ""  # a list is broken, which opening it reports
        bad = [entry for entry in entries if isinstance(entry, BadFile)]
        if len(bad) < len(entries) or any(each.kind != "missing-picture" for each in bad):
            return ""
        return str(bad[0]) if bad else f"{self._by_split[split]}: no picture in it"

    @property
    def _folder(self) -> Path:
        return self.path if self.path.is_dir() else self.path.parent

    @functools.cached_property
    def _by_split(self) -> dict[str, Path]:
        found = lists_at(self.path)
        if not found:
            raise UserError(f"{self.path}: no list in it; expected {self.accepts}")
        return found

    @functools.cached_property
    def _names(self) -> Names:
        return find_names(self._folder, list(self._by_split.values()))

    @functools.cached_property
    def _from_here(self) -> bool:
        """Whether lists may name images relative to the current folder: no image is found elsewhere."""
        return all(
            nothing_beside(images_in(path), [path.parent, self._folder], os.path.isfile)
            for path in self._by_split.values()
        )

    def _chosen(self, split: str) -> list[Path]:
        """Return the lists of one split, or of several separated by commas."""
        stems = self.resolve(split).split(",")
        for stem in stems:
            if stem not in self._by_split:
                raise self.no_split(stem)
        return [self._by_split[stem] for stem in dict.fromkeys(stems)]


class _Entry(NamedTuple):
    """A line of a list, and the image that it names."""

    path: str
    line: Line
    image: str


class _Record(NamedTuple):
    """An entry that can be used, and its image's measure."""

    entry: _Entry
    measure: Measure


class _Reader:
    """Measures an entry's image, or returns why it cannot be used."""

    def __init__(self, classes: int, origin: str) -> None:
        self._classes = classes
        self._origin = origin

    def __call__(self, entry: _Entry | BadFile) -> _Record | BadFile:
        if isinstance(entry, BadFile):
            return entry
        unknown = next((class_id for _, class_id in entry.line.boxes if class_id >= self._classes), None)
        if unknown is not None:
            known = f"of {counted(self._classes, 'class')} the last is {self._classes - 1} ({self._origin})"
            problem = f"line {entry.line.number}: class id {unknown}, but {known}"
            return BadFile(entry.path, problem, "unknown-class")
        try:
            return _Record(entry, measure(entry.image))
        except BadFile as error:
            return error


def _entries(
    lists: Sequence[Path], folder: Path, report: DatasetReport, from_here: bool
) -> list[_Entry | BadFile]:
    """Return the entries of lists, each image once, and the errors of lines."""
    entries: list[_Entry | BadFile] = []
    first: dict[str, _Entry] = {}
    for path in lists:
        finder = PathFinder([path.parent, folder], os.path.isfile, from_here)
        for number, text in enumerate(read_text(path, "the list").splitlines(), 1):
            if not text.strip():
                continue
            entry = _entry(str(path), number, text, finder)
            if isinstance(entry, BadFile):
                entries.append(entry)
                continue
            before = first.setdefault(os.path.abspath(entry.image), entry)
            if before is entry:
                entries.append(entry)
            elif before.line.written != entry.line.written:
                problem = f"line {number}: has other boxes than line {before.line.number} of {before.path} "
                problem += "for the same picture: put all on one line"
                entries.append(BadFile(str(path), problem, "broken-label"))
        report.notes += finder.notes(path.name)
    return entries


def _entry(path: str, number: int, text: str, finder: PathFinder) -> _Entry | BadFile:
    try:
        line = read_line(path, number, text)
    except BadFile as error:
        return error
    image = finder.find(line.image)
    if image is None:
        return BadFile(path, f"line {number}: {finder.problem(line.image)}", "missing-picture")
    return _Entry(path, line, image)


def _truths(
    records: Sequence[_Record], own: Sequence[str], class_names: Sequence[str], labels: Labels
) -> list[Detections]:
    """Turn lines into annotations.

    Args:
        records: the entries.
        own: names of the class ids in the lists.
        class_names: names of the class ids in the result.
        labels: makes the annotations of each image.

    Raises:
        UserError: a class with objects is not among ``class_names``.
    """
    class_ids = {name: class_id for class_id, name in enumerate(class_names)}
    unknown: dict[str, str] = {}
    truths = []
    for entry, found in records:
        truth = labels.annotations(entry.path, entry.image, found)
        for (corners, class_id), written in zip(entry.line.boxes, entry.line.written):
            name, place = own[class_id], f"line {entry.line.number}"
            if name in class_ids:
                truth.add(corners, class_ids[name], where=f"{place} ({name}, {written})")
            else:
                unknown.setdefault(name, f"{entry.path}: {place}")
        truths.append(truth.detections())
    if unknown:
        raise unknown_classes(unknown, class_names)
    return truths
