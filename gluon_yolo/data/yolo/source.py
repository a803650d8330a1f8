"""YOLOSource: a YOLO data set, with a text file of boxes beside each image or in a folder of labels."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.data.classes.read import unknown_classes
from gluon_yolo.data.dataset import ImageFiles
from gluon_yolo.data.images.read import measure
from gluon_yolo.data.loading.workers import threaded_map
from gluon_yolo.data.quality.orientation import Labels
from gluon_yolo.data.quality.report import BadFile, DatasetReport, Issue
from gluon_yolo.data.source import Source
from gluon_yolo.data.yolo.image_label import (
    ImageLabel,
    note_outlines,
    warn_of_missing,
    warn_of_shared,
)
from gluon_yolo.data.yolo.label import LabelLine, read_label
from gluon_yolo.data.yolo.layout import ACCEPTS, Layout, find_layout, looks_like_yolo
from gluon_yolo.data.yolo.orphans import find_orphans
from gluon_yolo.data.yolo.other_lines import refused
from gluon_yolo.data.yolo.paths import (
    LabelFinder,
    Listing,
    are_from_here,
    label_paths,
    list_images,
    nothing_in,
)
from gluon_yolo.detections import Detections
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.text import counted


class YOLODataset(ImageFiles):
    """Images with YOLO labels; :class:`YOLOSource` opens it.

    Args:
        labels: N paths of label files; for an image without one, its first possible path.
        images: the arguments of :class:`ImageFiles`.
    """

    def __init__(self, labels: Sequence[str], **images: Any) -> None:
        super().__init__(**images)
        self.labels = tuple(labels)


class YOLOSource(Source):
    """A YOLO data set at a path: a description (``.data``, ``data.yaml``), a list, or a folder."""

    format = "yolo"
    title = "YOLO text"
    accepts = ACCEPTS

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether an existing path looks like this format."""
        try:
            return looks_like_yolo(path)
        except UserError:
            return True  # reading it reports what is wrong
        except OSError:
            return False

    def splits(self) -> tuple[str, ...]:
        """Return the splits of the description, or the names of the lists or folders."""
        return tuple(self._layout.places)

    def class_names(self, splits: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the class names, which all splits share.

        Raises:
            UserError: there are none, or they contradict the description.
        """
        names = self._layout.names.read()
        if names is None:
            raise SettingError(self._layout.names.missing)
        return names

    def open(
        self, split: str, class_names: Sequence[str] | None = None, skip_bad: bool = False
    ) -> YOLODataset:
        """Open a split, or several separated by commas: read every label, decode every image once.

        Args:
            split: one of :meth:`splits`, or ``train``, ``val`` or ``test`` when :meth:`parts` has it.
            class_names: names in the order of the result's class ids, matched exactly with the data set's
                own; when it has none, these are the names of its class ids.
            skip_bad: skip and count images and labels that cannot be used.

        Raises:
            UserError: there is no such split; images or labels are missing or broken (all in one message); or
                a class is unknown.
        """
        listing = self._list(split)
        class_names = self.class_names() if class_names is None else tuple(class_names)
        own, origin = self._layout.names.read(), self._layout.names.origin
        if own is None:
            origin = "the list of class names"
            self._layout.names.check_count(class_names, origin)
            own = class_names
        notes = [*self._layout.notes, *listing.notes]
        report = DatasetReport(f"{self._layout.root.resolve().name} {split}", notes=notes)
        reader = _Reader(own, origin)
        records = threaded_map(reader, listing.images, f"reading {report.title}")
        usable = [record for record in records if isinstance(record, ImageLabel)]
        no_labels = refused({record.label: record.outlines for record in usable})
        usable = [record for record in usable if record.label not in {bad.file for bad in no_labels}]
        bad = [record for record in records if isinstance(record, BadFile)]
        report.skip([*listing.missing, *bad, *no_labels])
        report.raise_if_errors(skip_bad, len(usable))
        labels = Labels(report)
        truths = _truths(usable, own, class_names, labels, report)
        labels.note(self.path, split)
        return YOLODataset(
            labels=[record.label for record in usable],
            class_names=class_names,
            names=[record.image for record in usable],
            sizes_hw=[record.measure.size_hw for record in usable],
            truths=truths,
            report=report,
        )

    def absence(self, split: str) -> str:
        """Return why a split has no image at all; empty when it has one; see :class:`Source`."""
        try:
            listing = self._listing(split)
        except UserError:
            return ""  # a file is broken, which opening it reports
        absent = listing.missing[0] if listing.missing else nothing_in(self._places(split))
        return "" if listing.images else str(absent)

    def remarks(self) -> list[str]:
        """Return the notes of a check, with those about test splits that do not exist."""
        return [*super().remarks(), *self._layout.left_out]

    def orphans(self) -> list[Issue]:
        """Return labels without an image, and images of no split, in the folders of the splits.

        Splits that cannot be listed are skipped: :meth:`open` reports them.
        """
        used: list[str] = []
        places: list[Path] = []
        for split in self.splits():
            try:
                used += self._list(split).images
            except UserError:
                continue
            places += self._layout.places[split]
        return find_orphans(used, places)

    def settings(self) -> dict[str, Any]:
        """Return the training settings of a ``.data`` file."""
        return self._layout.data_file.settings() if self._layout.data_file else {}

    def place_of(self, flag: str) -> str:
        """Return the line and key of the ``.data`` file that set a flag."""
        return self._layout.data_file.place_of(flag) if self._layout.data_file else str(self.path)

    @functools.cached_property
    def _layout(self) -> Layout:
        return find_layout(self.path)

    @functools.cached_property
    def _from_here(self) -> bool:
        """Whether lists may name images relative to the current folder: no image is found elsewhere."""
        return are_from_here(sum(self._layout.places.values(), ()), [self._layout.root])

    def _list(self, split: str) -> Listing:
        """Return the images of one or several splits.

        Raises:
            UserError: there is no such split, its list or folder does not exist, or it names no image.
        """
        listing = self._listing(split)
        if listing.images or listing.missing:
            return listing
        raise UserError(nothing_in(self._places(split)))

    def _places(self, split: str) -> list[Path]:
        """Return the lists and folders of one or several splits.

        Raises:
            UserError: there is no such split, or its list or folder does not exist.
        """
        places: list[Path] = []
        for name in self.resolve(split).split(","):
            if name in self._layout.absent:
                raise UserError(self._layout.absent[name])
            if name not in self.splits():
                raise self.no_split(name)
            places += self._layout.places[name]
        return places

    def _listing(self, split: str) -> Listing:
        """Return the images of one or several splits, which may be none."""
        return list_images(self._places(split), [self._layout.root], self._from_here)


class _Reader:
    """Reads one image and its label, or returns why they cannot be used."""

    def __init__(self, class_names: Sequence[str], origin: str) -> None:
        self._count = len(class_names)
        self._origin = origin
        self._labels = LabelFinder()

    def __call__(self, image: str) -> ImageLabel | BadFile:
        labels = self._labels.find_all(image)
        try:
            objects = self._objects(labels[0]) if labels else None
            for other in labels[1:]:
                if read_label(other) != objects:
                    problem = (
                        f"differs from {other}, which is a label of the same picture; remove one of them"
                    )
                    raise BadFile(labels[0], problem, "broken-label")
            return ImageLabel(image, (labels or label_paths(image))[0], measure(image), objects)
        except BadFile as error:
            return error

    def _objects(self, label: str) -> tuple[LabelLine, ...]:
        objects = read_label(label)
        for thing in objects:
            if thing.class_id >= self._count:
                known = f"of {counted(self._count, 'class')} the last is {self._count - 1} ({self._origin})"
                problem = f"line {thing.number}: class id {thing.class_id}, but {known}"
                raise BadFile(label, problem, "unknown-class")
        return objects


def _truths(
    records: Sequence[ImageLabel],
    own: Sequence[str],
    class_names: Sequence[str],
    labels: Labels,
    report: DatasetReport,
) -> list[Detections]:
    """Turn labels into annotations.

    Args:
        records: the labels.
        own: names of the class ids in the labels.
        class_names: names of the class ids in the result.
        labels: makes the annotations of each image.
        report: receives issues.

    Raises:
        UserError: a class with objects is not among ``class_names``.
    """
    class_ids = {name: class_id for class_id, name in enumerate(class_names)}
    unknown: dict[str, str] = {}
    truths = []
    for record in records:
        truth = labels.annotations(record.label, record.image, record.measure)
        for thing in record.objects or ():
            name = own[thing.class_id]
            if name in class_ids:
                where = f"line {thing.number} ({name}, {thing.written})"
                truth.add(thing.box_xyxy(record.measure.size_hw).tolist(), class_ids[name], where=where)
            else:
                unknown.setdefault(name, f"{record.label}: line {thing.number}")
        truths.append(truth.detections())
    if unknown:
        raise unknown_classes(unknown, class_names)
    warn_of_missing(records, report)
    note_outlines(records, report)
    warn_of_shared(records, report)
    return truths
