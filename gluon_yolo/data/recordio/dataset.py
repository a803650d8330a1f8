"""RecordDataset: images and boxes packed into ``.rec`` files, as mxnet's ImageDetIter reads them."""

from __future__ import annotations

import os
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

import numpy as np

from gluon_yolo.data.dataset import ListedImages
from gluon_yolo.data.images.read import Measure, measure_encoded
from gluon_yolo.data.loading.workers import threaded_map
from gluon_yolo.data.quality.orientation import Labels
from gluon_yolo.data.quality.report import BadFile, DatasetReport
from gluon_yolo.data.recordio.file import Frame, RecordFile
from gluon_yolo.data.recordio.image_record import Place, RecordLabel, read_label
from gluon_yolo.data.recordio.index import open_index
from gluon_yolo.detections import Detections
from gluon_yolo.errors import SettingError

# Relative coordinates end at 1; a box beyond twice the image must be in pixels.
_LARGEST_SHARE = 2.0
_IN_PIXELS = "its boxes are in pixels, not in shares of the sides, and taken as such"
_NAMES_SHOWN = 30


class RecordDataset(ListedImages):
    """Images packed into ``.rec`` files; :func:`open_record` opens it.

    Args:
        places: N places of images.
        images: the arguments of :class:`ListedImages` except the names.
    """

    def __init__(self, places: Sequence[Place], **images: Any) -> None:
        super().__init__(names=[place.name for place in places], **images)
        self._places = list(places)

    def encoded(self, index: int) -> bytes:
        """Return the bytes of an image as they were packed."""
        return self._places[index].image_bytes()

    def encoded_size(self, index: int) -> int:
        """Return the number of bytes of a packed image."""
        return self._places[index].size


def open_record(
    paths: Sequence[str | os.PathLike[str]],
    class_names: Sequence[str],
    skip_bad: bool = False,
    title: str | None = None,
) -> RecordDataset:
    """Open ``.rec`` files as one data set: read every label, and check that every image can be read.

    Args:
        paths: the files, whose images are concatenated.
        class_names: C names in the order of the class ids in the labels.
        skip_bad: skip and report records that cannot be used.
        title: the data set's name in messages; None takes the files' names.

    Raises:
        UserError: a file is missing or empty, its ``.idx`` does not match it, or records are broken or have
            class ids without a name (all in one message).
    """
    report = DatasetReport(title or ", ".join(os.path.basename(path) for path in paths))
    usable: list[_Record] = []
    for path in paths:
        index = open_index(path)
        report.notes += index.notes
        report.skip(index.bad)
        items = [(index.file, key, frame) for key, frame in index.frames.items()]
        read = threaded_map(_read, items, f"reading {report.title}")
        report.skip([record for record in read if isinstance(record, BadFile)])
        usable += _named(
            [record for record in read if isinstance(record, _Record)], class_names, skip_bad, report
        )
    report.raise_if_errors(skip_bad, len(usable))
    labels = Labels(report)
    truths = _truths(usable, class_names, labels, _files_in_pixels(usable, report))
    labels.note(paths[0] if len(paths) == 1 else os.path.dirname(paths[0]) or ".")
    return RecordDataset(
        places=[record.place for record in usable],
        class_names=class_names,
        sizes_hw=[record.measure.size_hw for record in usable],
        truths=truths,
        report=report,
    )


class _Record(NamedTuple):
    """The content of one record."""

    place: Place
    measure: Measure
    label: RecordLabel


def _read(item: tuple[RecordFile, int, Frame]) -> _Record | BadFile:
    """Read one record and decode its image, or return why it cannot be used."""
    try:
        label, place = read_label(*item)
        return _Record(place, measure_encoded(place.image_bytes(), place.name), label)
    except BadFile as error:
        return error


def _named(
    records: Sequence[_Record], class_names: Sequence[str], skip_bad: bool, report: DatasetReport
) -> list[_Record]:
    """Return the records whose class ids all have a name; report the others.

    Raises:
        UserError: there are others, and ``skip_bad`` is False; the message names the first of each class id.
    """
    named, unknown = [], []
    first: dict[int, BadFile] = {}
    for record in records:
        ids = record.label.class_ids
        wrong = np.flatnonzero(ids >= len(class_names))
        if not len(wrong):
            named.append(record)
            continue
        problem = (
            f"object {wrong[0] + 1} has the class id {ids[wrong[0]]}, but there are {len(class_names)} names"
        )
        unknown.append(BadFile(record.place.name, problem, "unknown-class"))
        first.setdefault(int(ids[wrong[0]]), unknown[-1])
    if unknown and not skip_bad:
        names = ", ".join(f"{number} {name!r}" for number, name in enumerate(class_names[:_NAMES_SHOWN]))
        lines = "\n".join(str(first[class_id]) for class_id in sorted(first))
        advice = "Class ids count from 0. Name every class, one a line, in the file given with {classes}"
        raise SettingError(f"{lines}\nThe names are {names}. {advice}")
    report.skip(unknown)
    return named


def _truths(
    records: Sequence[_Record], class_names: Sequence[str], labels: Labels, pixels: Container[str]
) -> list[Detections]:
    """Turn labels into annotations; ``pixels`` are the files whose boxes are in pixels."""
    truths = []
    for place, measure, label in records:
        truth = labels.annotations(place.file.path, place.name, measure, label.size_hw, f"record {place.key}")
        boxes = label.corners if place.file.path in pixels else label.boxes_px(truth.labelled_hw)
        for number, (box, class_id) in enumerate(zip(boxes, label.class_ids)):
            numbers = " ".join(f"{corner:g}" for corner in label.corners[number])
            where = f"record {place.key}, object {number + 1} ({class_names[class_id]}, {numbers})"
            truth.add(box, int(class_id), bool(label.difficult[number]), where)
        truths.append(truth.detections())
    return truths


def _files_in_pixels(records: Sequence[_Record], report: DatasetReport) -> set[str]:
    """Return the files most of whose boxes must be in pixels, and add a note."""
    reaches: dict[str, list[float]] = {}
    for record in records:
        reaches.setdefault(record.place.file.path, []).extend(
            record.label.corners.max(axis=1, initial=0).tolist()
        )
    far = {path: sum(end > _LARGEST_SHARE for end in ends) for path, ends in reaches.items()}
    pixels = {path for path, ends in reaches.items() if far[path] > len(ends) / 2}
    report.notes += [f"{os.path.basename(path)}: {_IN_PIXELS}" for path in sorted(pixels)]
    return pixels
